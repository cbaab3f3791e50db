"""The CDS Hooks client: its JWT, its prefetch, its feedback."""

from __future__ import annotations

import uuid

import pytest
from django.conf import settings
from django.test import Client
from joserfc import jwt
from joserfc.jwk import KeySet

from smartapp.demo_ehr import hooks
from tests.smartapp.demo_ehr.conftest import App, Fhir


def public_keys() -> KeySet:
    return KeySet.import_key_set(Client().get("/demo-ehr/oauth/jwks").json())


def test_the_jwt_has_the_shape_that_cds_hooks_asks_for() -> None:
    token = jwt.decode(hooks.sign("https://app.example/cds-services/risk"), public_keys(), algorithms=["ES384"])
    assert (token.header["typ"], token.header["jku"]) == ("JWT", f"{settings.DEMO_EHR_URL}/oauth/jwks")
    assert (token.claims["iss"], token.claims["aud"]) == (
        settings.DEMO_EHR_URL,
        "https://app.example/cds-services/risk",
    )
    assert token.claims["exp"] - token.claims["iat"] == 300
    assert token.claims["jti"]


def test_a_test_may_bend_the_jwt() -> None:
    token = jwt.decode(
        hooks.sign("a", jti=None, iss="rogue", header={"jku": "https://rogue.example"}),
        public_keys(),
        algorithms=["ES384"],
    )
    assert "jti" not in token.claims
    assert (token.claims["iss"], token.header["jku"]) == ("rogue", "https://rogue.example")


def test_a_call_carries_context_token_and_prefetch(app: App) -> None:
    assert hooks.call_hook("ada").status_code == 200
    path, body, _ = app.told[-1]
    assert path == "/cds-services/risk"
    assert body["context"] == {"userId": "Practitioner/dr-okafor", "patientId": "ada", "encounterId": "ada-visit"}
    assert body["prefetch"]["patient"]["id"] == "ada"
    assert uuid.UUID(body["hookInstance"]).version == 4


def test_the_token_of_a_call_opens_this_patients_chart_only(app: App) -> None:
    hooks.call_hook("ada")
    given = app.told[-1][1]["fhirAuthorization"]
    assert (given["subject"], given["patient"], given["token_type"]) == ("bedside", "ada", "Bearer")
    assert Fhir(given["access_token"]).get("Patient/ada").status_code == 200
    assert Fhir(given["access_token"]).get("Patient/bruno").status_code == 403


def test_the_jwt_of_a_call_is_for_the_endpoint_called(app: App) -> None:
    hooks.call_hook("ada")
    token = jwt.decode(app.told[-1][2], public_keys(), algorithms=["ES384"])
    assert token.claims["aud"] == f"{app.url}/cds-services/risk"


def test_a_search_template_becomes_a_searchset(app: App) -> None:
    app.prefetch = {
        "glucose": "Observation?patient={{context.patientId}}&code=http://loinc.org|2345-7&_sort=-date&_count=2"
    }
    hooks.call_hook("ada")
    bundle = app.told[-1][1]["prefetch"]["glucose"]
    assert (bundle["type"], bundle["total"], len(bundle["entry"])) == ("searchset", 6, 2)
    assert "next" in [link["relation"] for link in bundle["link"]]


def test_a_template_that_finds_nothing_is_null(app: App) -> None:
    app.prefetch = {"hba1c": "Observation?patient={{context.patientId}}&code=http://loinc.org|4548-4"}
    hooks.call_hook("ada")
    assert app.told[-1][1]["prefetch"] == {"hba1c": None}


def test_a_template_with_an_unknown_token_is_left_out(app: App) -> None:
    app.prefetch = {"user": "Practitioner/{{userPractitionerId}}", "odd": "Patient/{{context.draftOrders}}"}
    hooks.call_hook("ada")
    assert list(app.told[-1][1]["prefetch"]) == ["user"]


def test_a_template_that_is_refused_becomes_an_operation_outcome(app: App) -> None:
    app.prefetch = {"odd": "Observation?patient={{context.patientId}}&colour=red"}
    hooks.call_hook("ada")
    assert app.told[-1][1]["prefetch"]["odd"]["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("authorized", [True, False])
def test_a_call_may_leave_out_prefetch_and_token(app: App, authorized: bool) -> None:
    hooks.call_hook("ada", "risk", prefetch=False, authorized=authorized)
    body = app.told[-1][1]
    assert "prefetch" not in body
    assert ("fhirAuthorization" in body) is authorized


def test_a_prefetch_given_is_sent_as_it_is(app: App) -> None:
    hooks.call_hook("ada", prefetch={"patient": None})
    assert app.told[-1][1]["prefetch"] == {"patient": None}

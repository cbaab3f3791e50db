"""Work without a user: a token of our own, asked for once, renewed in time, checked for what it opens."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from cds import keys, system
from cds.errors import FhirError, FhirInvalid, FhirRefused, FhirUnreachable
from cds.models import Ehr
from cds.needs import Need
from cds.system import Access, system_client
from tests.smartapp.stranger import Hospital

SMART_LONGEST_SECONDS = 300


@pytest.fixture(autouse=True)
def _no_token_kept() -> Iterator[None]:
    system.forget()
    yield
    system.forget()


@pytest.fixture
def registered(other_ehr: Ehr, stranger: Hospital) -> Ehr:
    """The stranger knows our system client and grants what it is asked for."""
    other_ehr.system_client_id = "bedside-system"
    grants(stranger)
    return other_ehr


def grants(hospital: Hospital, status: int = 200, **changed: Any) -> None:
    answer = {"access_token": "first", "token_type": "bearer", "expires_in": 300, **changed}
    hospital.pages["/token"] = (status, {name: value for name, value in answer.items() if value is not None})


def asked_scopes(hospital: Hospital) -> list[str]:
    return [posted.form["scope"] for posted in hospital.posted if posted.path == "/token"]


def test_the_demo_hospital_opens_what_was_granted_to_the_system(hospital: Ehr) -> None:
    client = system_client(hospital, needed=["Patient.rs"], wanted=["Observation.rs"])
    assert client.request_json("Patient/ada")["id"] == "ada"
    assert client.request_json("Patient")["total"] == 6
    assert client.opens(Need.patient())
    assert not client.opens(Need.resources("conditions", "Condition"))


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_the_client_signs_a_short_assertion_for_the_token_end_point(
    registered: Ehr,
    stranger: Hospital,
    algorithm: str,
) -> None:
    registered.client_algorithm = algorithm
    system_client(registered, needed=["Patient.rs"])
    form = stranger.posted[-1].form
    assert form["grant_type"] == "client_credentials"
    token = jwt.decode(form["client_assertion"], KeySet.import_key_set(keys.public_keys()), algorithms=[algorithm])
    assert (token.claims["iss"], token.claims["sub"]) == ("bedside-system", "bedside-system")
    assert token.claims["aud"] == f"{stranger.url}/token"
    assert token.claims["exp"] - token.claims["iat"] <= SMART_LONGEST_SECONDS
    assert token.claims["jti"]


@pytest.mark.django_db(transaction=True)  # the threads look at the tables themselves
def test_a_token_is_asked_for_once_however_many_want_it(registered: Ehr, stranger: Hospital) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: Access(registered, ["system/Patient.rs"]).granted(), range(8)))
    assert len(asked_scopes(stranger)) == 1


def test_a_token_does_not_go_to_the_server_that_takes_the_place_of_its_own(registered: Ehr, stranger: Hospital) -> None:
    Access(registered, ["system/Patient.rs"]).granted()
    registered.fhir_base += "/next"
    Access(registered, ["system/Patient.rs"]).granted()
    assert len(asked_scopes(stranger)) == 2


def test_a_token_that_is_about_to_end_is_not_used_any_more(registered: Ehr, stranger: Hospital) -> None:
    grants(stranger, expires_in=0)
    client = system_client(registered, needed=["Patient.rs"])
    client.get("Patient/x")
    assert len(asked_scopes(stranger)) == 2


def test_what_was_refused_with_401_is_asked_once_more_with_a_new_token(
    registered: Ehr,
    stranger: Hospital,
) -> None:
    client = system_client(registered, needed=["Patient.rs"])
    stranger.pages["/fhir/Patient/x"] = (401, {})
    with pytest.raises(FhirRefused):
        client.get("Patient/x")
    assert stranger.asked.count("/fhir/Patient/x") == 2
    assert len(asked_scopes(stranger)) == 2


def test_what_is_needed_and_was_not_granted_is_named_before_any_work(
    registered: Ehr,
    stranger: Hospital,
) -> None:
    grants(stranger, scope="system/Patient.r system/Observation.rs")
    with pytest.raises(FhirRefused, match=r"did not grant our system client: Condition.rs, Patient.rs"):
        system_client(registered, needed=["Patient.rs", "Condition.rs"], wanted=["Observation.rs"])


def test_a_server_of_version_1_is_asked_in_its_words(registered: Ehr, stranger: Hospital) -> None:
    stranger.configuration["capabilities"] = ["permission-v1"]
    grants(stranger, scope="system/Patient.read system/RiskAssessment.write")
    system_client(registered, needed=["Patient.rs", "RiskAssessment.c"])
    assert asked_scopes(stranger) == ["system/Patient.read system/RiskAssessment.write"]


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (401, {"error": "invalid_client", "access_token": None}, FhirRefused),
        (400, {"error": "invalid_scope", "access_token": None}, FhirRefused),
        (503, {}, FhirUnreachable),
        (200, {"access_token": None}, FhirError),
        (200, {"token_type": "mac"}, FhirInvalid),
    ],
)
def test_an_answer_that_is_no_token_says_why(
    registered: Ehr,
    stranger: Hospital,
    status: int,
    answer: dict[str, Any],
    error: type[FhirError],
) -> None:
    grants(stranger, status, **answer)
    with pytest.raises(error):
        system_client(registered, needed=["Patient.rs"])


def test_no_token_end_point_is_said(registered: Ehr, stranger: Hospital) -> None:
    del stranger.configuration["token_endpoint"]
    with pytest.raises(FhirInvalid, match="no token end point"):
        system_client(registered, needed=["Patient.rs"])


def test_a_token_end_point_elsewhere_is_never_asked(registered: Ehr, stranger: Hospital) -> None:
    stranger.configuration["token_endpoint"] = "https://elsewhere.example.org/token"
    with pytest.raises(FhirInvalid, match="registered origins"):
        system_client(registered, needed=["Patient.rs"])


def test_an_ehr_without_a_system_client_id_is_not_asked(other_ehr: Ehr, stranger: Hospital) -> None:
    with pytest.raises(FhirRefused, match="no client id"):
        system_client(other_ehr, needed=["Patient.rs"])
    assert not stranger.asked

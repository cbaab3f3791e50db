"""Reaching an EHR step by step: what was found, which step failed, what to do about it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc.jwk import ECKey
from pytest_django import Settings

from cds.configuration import configuration_of
from cds.models import ConnectionTest, Ehr
from cds.onboarding import Survey, look, try_connection
from cds.outlook import outlook
from tests.serving import serving
from tests.strangers import Stranger

METADATA: dict[str, Any] = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with serving(Stranger()) as server:
        server.pages["/fhir/metadata"] = json.dumps(METADATA).encode()
        server.pages["/fhir/.well-known/smart-configuration"] = json.dumps(configuration(server.url)).encode()
        yield server


def configuration(at: str, **changed: Any) -> dict[str, Any]:
    return {
        "authorization_endpoint": f"{at}/authorize",
        "token_endpoint": f"{at}/token",
        "code_challenge_methods_supported": ["S256"],
        "capabilities": ["launch-ehr", "permission-v1", "client-public"],
    } | changed


def at(url: str, **changed: Any) -> Ehr:
    return Ehr(**{"name": "Other", "fhir_base": f"{url}/fhir", "private_network": True, "client_id": "b", **changed})


def stopped_at(survey: Survey) -> str:
    assert survey.failed is not None, survey.steps
    assert survey.failed.remedy
    return survey.failed.name


def test_the_demo_hospital_passes_every_step_and_that_is_kept(hospital: Ehr) -> None:
    survey = try_connection(hospital)
    assert survey.failed is None
    assert all(step.tried for step in survey.steps)
    assert ConnectionTest.objects.get(ehr=hospital).failed_step == ""


def test_a_failed_test_is_kept_with_its_step(hospital: Ehr) -> None:
    hospital.hook_jwks_url = f"{hospital.fhir_base}/metadata"
    assert stopped_at(try_connection(hospital)) == "Keys of the hooks"
    assert ConnectionTest.objects.get(ehr=hospital).failed_step == "Keys of the hooks"


def test_what_the_demo_hospital_can_do_is_told_in_plain_words(hospital: Ehr) -> None:
    expected = {one.topic: one for one in outlook(look(hospital))}
    hooks = expected.pop("CDS Hooks")
    assert hooks.works is None
    assert "patient-view" in hooks.text
    assert all(one.works for one in expected.values())
    assert expected["FHIR 4.0.1"].text == "read and written"
    assert "private_key_jwt" in expected["Registration"].text
    assert "version 2" in expected["Scopes"].text


def test_looking_keeps_nothing(hospital: Ehr) -> None:
    look(Ehr(fhir_base=hospital.fhir_base, private_network=True))
    assert not ConnectionTest.objects.exists()


def test_a_name_that_does_not_resolve_is_the_first_step_to_fail() -> None:
    survey = look(at("https://nowhere.invalid"))
    assert stopped_at(survey) == "Host name and network address"
    assert [step.tried for step in survey.steps] == [True, False, False, False, False, False]


def test_a_private_address_is_not_reached_unless_it_is_meant(stranger: Stranger) -> None:
    survey = look(at(stranger.url, private_network=False))
    assert stopped_at(survey) == "Host name and network address"
    assert survey.failed is not None
    assert "private network" in survey.failed.remedy
    assert stranger.asked == []


def test_a_server_that_is_down_is_named_so() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        survey = look(at(f"http://127.0.0.1:{nobody.getsockname()[1]}"))
    assert stopped_at(survey) == "Connection and TLS"
    assert survey.failed is not None
    assert "refused" in survey.failed.problem


def test_a_server_without_tls_is_not_taken_for_one_with(stranger: Stranger) -> None:
    survey = look(at(stranger.url.replace("http://", "https://")))
    assert stopped_at(survey) == "Connection and TLS"
    assert survey.failed is not None
    assert "certificate" in survey.failed.problem


def test_a_slow_server_is_named_so(stranger: Stranger, settings: Settings) -> None:
    settings.FHIR_TIMEOUT_SECONDS = 0.2
    stranger.silent = True
    survey = look(at(stranger.url))
    assert stopped_at(survey) == "Connection and TLS"
    assert survey.failed is not None
    assert "time limit" in survey.failed.problem


@pytest.mark.parametrize(
    ("path", "content", "step"),
    [
        ("metadata", None, "Connection and TLS"),
        ("metadata", b"<html>Welcome</html>", "CapabilityStatement"),
        ("metadata", b'{"resourceType": "Patient"}', "CapabilityStatement"),
        ("metadata", json.dumps(METADATA | {"fhirVersion": "1.0.2"}).encode(), "FHIR version"),
        (".well-known/smart-configuration", None, "SMART configuration"),
        (".well-known/smart-configuration", b"{}", "SMART configuration"),
        (".well-known/smart-configuration", b"[]", "SMART configuration"),
        (
            ".well-known/smart-configuration",
            json.dumps(configuration("https://e.org", code_challenge_methods_supported=["plain"])).encode(),
            "PKCE",
        ),
    ],
)
def test_the_step_that_fails_is_named(stranger: Stranger, path: str, content: bytes | None, step: str) -> None:
    stranger.pages[f"/fhir/{path}"] = content
    assert stopped_at(look(at(stranger.url))) == step


def test_a_server_that_writes_nothing_is_expected_to_write_nothing(stranger: Stranger) -> None:
    expected = {one.topic: one for one in outlook(look(at(stranger.url)))}
    assert not expected["Writing RiskAssessment"].works
    assert not expected["Reading"].works
    assert "Patient" in expected["Reading"].text
    assert not expected["Who is looking"].works
    assert "version 1" in expected["Scopes"].text


def test_a_login_server_elsewhere_must_be_agreed_to(stranger: Stranger, db: None) -> None:
    elsewhere = json.dumps(configuration("https://login.example")).encode()
    stranger.pages["/fhir/.well-known/smart-configuration"] = elsewhere
    ehr = at(stranger.url)
    ehr.save()
    survey = try_connection(ehr)
    assert stopped_at(survey) == "Login server"
    assert survey.other_origins() == ["https://login.example"]
    ehr.login_origins = "https://login.example"
    assert try_connection(ehr).failed is None


@pytest.mark.parametrize("address", ["http://[bad", "https://login.example:99999/authorize", "//[/"])
def test_a_login_address_that_is_none_is_a_named_step(stranger: Stranger, db: None, address: str) -> None:
    told = configuration(stranger.url, authorization_endpoint=address)
    stranger.pages["/fhir/.well-known/smart-configuration"] = json.dumps(told).encode()
    ehr = at(stranger.url)
    ehr.save()
    survey = try_connection(ehr)
    assert stopped_at(survey) == "SMART configuration"
    assert survey.other_origins() == []
    assert ConnectionTest.objects.get(ehr=ehr).failed_step == "SMART configuration"


@pytest.mark.parametrize("entered", ["https://login.example:99999", "http://[bad"])
def test_an_entered_login_origin_that_is_none_is_a_named_step(hospital: Ehr, entered: str) -> None:
    hospital.login_origins = entered
    assert stopped_at(try_connection(hospital)) == "Login server"
    assert ConnectionTest.objects.get(ehr=hospital).failed_step == "Login server"


# --- An EHR of SMART 1, or without SMART ---------------------------------------------------------------------------
WELL_KNOWN = "/fhir/.well-known/smart-configuration"


def oauth_uris(at: str) -> dict[str, Any]:
    uris = [{"url": name, "valueUri": f"{at}/{name}"} for name in ("authorize", "token")]
    url = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
    return {"rest": [{"security": {"extension": [{"url": url, "extension": uris}]}}]}


def test_without_a_smart_configuration_launches_work_where_the_capability_statement_has_the_addresses(
    stranger: Stranger,
) -> None:
    stranger.pages[WELL_KNOWN] = None
    stranger.pages["/fhir/metadata"] = json.dumps(METADATA | oauth_uris(stranger.url)).encode()
    survey = look(at(stranger.url))
    assert survey.failed is None
    expected = {one.topic: one for one in outlook(survey)}
    assert "version 1" in expected["Scopes"].text
    assert expected["Launch from the chart"].works is None


def test_the_login_addresses_of_a_capability_statement_are_held_to_the_same_origins(
    stranger: Stranger, db: None
) -> None:
    stranger.pages[WELL_KNOWN] = None
    stranger.pages["/fhir/metadata"] = json.dumps(METADATA | oauth_uris("https://login.example")).encode()
    ehr = at(stranger.url)
    ehr.save()
    assert stopped_at(try_connection(ehr)) == "Login server"


def test_a_busy_server_is_not_taken_for_one_without_smart(stranger: Stranger) -> None:
    stranger.pages["/fhir/metadata"] = json.dumps(METADATA | oauth_uris(stranger.url)).encode()
    stranger.statuses[WELL_KNOWN] = 503
    survey = look(at(stranger.url))
    assert stopped_at(survey) == "SMART configuration"
    assert survey.failed is not None
    assert "503" in survey.failed.problem


def test_the_keys_of_the_hooks_are_tested_where_no_launch_works(stranger: Stranger, db: None) -> None:
    stranger.pages[WELL_KNOWN] = None
    key = ECKey.generate_key("P-384", {"kid": "one"}).as_dict(private=False)
    stranger.pages["/keys"] = json.dumps({"keys": [{"kty": "EC", "crv": "P-unknown", "kid": "odd"}, key]}).encode()
    ehr = at(stranger.url, hook_issuer=stranger.url, hook_jwks_url=f"{stranger.url}/keys")
    ehr.save()
    survey = try_connection(ehr)
    steps = {step.name: step for step in survey.steps}
    assert stopped_at(survey) == "SMART configuration"
    assert steps["Keys of the hooks"].told == "1 key for ES384,RS384"
    assert not steps["Client id"].tried


def test_where_the_server_names_no_pkce_method_and_no_permission_both_doors_speak_version_1(
    stranger: Stranger, db: None
) -> None:
    told = configuration(stranger.url, capabilities=["launch-ehr"])
    del told["code_challenge_methods_supported"]
    stranger.pages[WELL_KNOWN] = json.dumps(told).encode()
    ehr = at(stranger.url)
    ehr.save()
    expected = {one.topic: one for one in outlook(look(ehr))}
    assert "version 1" in expected["Scopes"].text
    assert configuration_of(ehr).speaks_version_1


def test_keys_without_the_pinned_algorithm_are_no_keys(hospital: Ehr) -> None:
    hospital.hook_algorithms = "PS256"
    assert stopped_at(try_connection(hospital)) == "Keys of the hooks"


def test_a_missing_client_id_is_a_step_that_fails(hospital: Ehr) -> None:
    hospital.client_id = ""
    assert stopped_at(try_connection(hospital)) == "Client id"

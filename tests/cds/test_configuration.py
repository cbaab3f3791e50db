"""What an EHR says about its login is believed only where it stays at home."""

from __future__ import annotations

from typing import Any

import pytest

from cds.configuration import configuration_of
from cds.errors import FhirInvalid, FhirUnreachable
from cds.models import Ehr
from smartapp.launch.begin import begin
from tests.smartapp.conftest import Browser
from tests.smartapp.stranger import Hospital


def test_it_is_fetched_below_the_fhir_base_and_kept_for_a_while(other_ehr: Ehr, stranger: Hospital) -> None:
    assert configuration_of(other_ehr) == configuration_of(other_ehr)
    assert stranger.asked == ["/fhir/.well-known/smart-configuration"]


@pytest.mark.parametrize("member", ["issuer", "jwks_uri", "authorization_endpoint", "token_endpoint"])
def test_an_address_at_another_origin_is_refused(other_ehr: Ehr, stranger: Hospital, member: str) -> None:
    stranger.configuration[member] = "https://elsewhere.example.org/x"
    with pytest.raises(FhirInvalid, match=member):
        configuration_of(other_ehr)


def test_a_relative_address_is_taken_from_the_fhir_base(other_ehr: Ehr, stranger: Hospital) -> None:
    stranger.configuration["token_endpoint"] = "oauth/token"
    assert configuration_of(other_ehr).token_endpoint == f"{stranger.url}/fhir/oauth/token"


def test_a_server_that_forbids_s256_is_refused(other_ehr: Ehr, stranger: Hospital) -> None:
    stranger.configuration["code_challenge_methods_supported"] = ["plain"]
    with pytest.raises(FhirInvalid, match="PKCE"):
        configuration_of(other_ehr)


def test_an_incomplete_configuration_is_refused(other_ehr: Ehr, stranger: Hospital) -> None:
    del stranger.configuration["token_endpoint"]
    with pytest.raises(FhirInvalid, match="incomplete"):
        configuration_of(other_ehr)


def test_a_login_server_at_another_origin_is_taken_where_an_administrator_has_registered_it(
    other_ehr: Ehr, stranger: Hospital
) -> None:
    stranger.configuration["token_endpoint"] = "https://login.example.org/token"
    other_ehr.login_origins = "https://login.example.org https://second.example.org"
    assert configuration_of(other_ehr).token_endpoint == "https://login.example.org/token"


@pytest.mark.parametrize("page", [b'{"token_endpoint": "\xff"}', b'{"a":' * 2000])
def test_a_configuration_that_cannot_be_read_is_refused(other_ehr: Ehr, stranger: Hospital, page: bytes) -> None:
    stranger.content = page
    with pytest.raises(FhirInvalid, match="incomplete"):
        configuration_of(other_ehr)


@pytest.mark.parametrize(
    "rubbish",
    ["http://[bad", "https://host:99999/x", "https://host:port/x", "javascript:alert(1)", "//elsewhere.example.org/x"],
)
def test_rubbish_for_an_address_is_refused(other_ehr: Ehr, stranger: Hospital, rubbish: str) -> None:
    stranger.configuration["authorization_endpoint"] = rubbish
    with pytest.raises(FhirInvalid, match="authorization_endpoint"):
        configuration_of(other_ehr)


def test_a_login_origin_that_is_none_leads_to_a_page_and_not_to_an_error(browser: Browser) -> None:
    Ehr.objects.update(login_origins="https://login.example:99999")
    stopped = browser.launch("ada")
    assert stopped.status_code == 502
    assert "settings cannot be used" in stopped.content.decode()


# --- SMART 1: the CapabilityStatement ----------------------------------------------------------------------------
WELL_KNOWN = "/fhir/.well-known/smart-configuration"
OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


def capability_statement(**uris: str) -> dict[str, Any]:
    """As SMART 1 servers publish it, among other extensions."""
    oauth = {"url": OAUTH_URIS, "extension": [{"url": name, "valueUri": uri} for name, uri in uris.items()]}
    security = {"cors": True, "extension": [{"url": "http://example.org/x", "valueCode": "y"}, oauth]}
    return {"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "security": security}]}


@pytest.fixture
def old_server(stranger: Hospital) -> Hospital:
    """Has no smart-configuration."""
    stranger.pages[WELL_KNOWN] = (404, {})
    uris = {name: f"{stranger.url}/{name}" for name in ("authorize", "token", "revoke")}
    stranger.pages["/fhir/metadata"] = (200, capability_statement(**uris))
    return stranger


def test_without_a_smart_configuration_the_capability_statement_is_read(other_ehr: Ehr, old_server: Hospital) -> None:
    found = configuration_of(other_ehr)
    assert found.authorization_endpoint == f"{old_server.url}/authorize"
    assert found.token_endpoint == f"{old_server.url}/token"
    assert found.revocation_endpoint == f"{old_server.url}/revoke"
    assert found.speaks_version_1


def test_its_addresses_are_held_to_the_same_origins(other_ehr: Ehr, old_server: Hospital) -> None:
    elsewhere = capability_statement(authorize=f"{old_server.url}/a", token="https://elsewhere.example.org/t")
    old_server.pages["/fhir/metadata"] = (200, elsewhere)
    with pytest.raises(FhirInvalid, match="token_endpoint"):
        configuration_of(other_ehr)


@pytest.mark.parametrize("page", [{}, {"rest": []}, {"rest": "x"}, capability_statement(token="t")], ids=str)
def test_a_server_with_neither_cannot_be_launched_from(other_ehr: Ehr, old_server: Hospital, page: Any) -> None:
    old_server.pages["/fhir/metadata"] = (200, page)
    with pytest.raises(FhirInvalid):
        configuration_of(other_ehr)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_is_not_taken_for_an_old_one(other_ehr: Ehr, stranger: Hospital, status: int) -> None:
    stranger.pages[WELL_KNOWN] = (status, {})
    with pytest.raises(FhirUnreachable):
        configuration_of(other_ehr)
    assert stranger.asked == [WELL_KNOWN]


def test_a_server_that_names_no_pkce_methods_is_of_version_1_and_gets_pkce_all_the_same(
    other_ehr: Ehr, stranger: Hospital
) -> None:
    del stranger.configuration["code_challenge_methods_supported"]
    stranger.configuration["capabilities"] = ["launch-ehr"]
    assert configuration_of(other_ehr).speaks_version_1
    assert "code_challenge_method=S256" in begin(other_ehr, "ticket").url

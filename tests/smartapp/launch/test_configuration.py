"""What an EHR says about its login is believed only where it stays at home."""

from __future__ import annotations

import pytest

from cds.errors import FhirInvalid
from cds.models import Ehr
from smartapp.launch.configuration import configuration_of
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

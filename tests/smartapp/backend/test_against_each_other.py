"""Our own system client at our own authorization server: each holds the other against the specification, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cds import system
from cds.errors import FhirRefused
from cds.models import Ehr
from cds.system import access_to
from smartapp.backend.models import BackendClient
from smartapp.backend.scopes import PREDICT, READ_RESULTS


@pytest.fixture
def ourselves(site: str, ehr: Ehr) -> Iterator[Ehr]:
    """A record that is our API: its smart-configuration names the token end point, and /jwks.json has the keys."""
    ehr.private_network = True
    ehr.save()
    BackendClient.objects.create(
        name="Ourselves", ehr=ehr, client_id="bedside", jwks_url=f"{site}/jwks.json", scopes=f"{PREDICT} {READ_RESULTS}"
    )
    system.forget()
    yield Ehr.objects.create(
        name="Our API", fhir_base=f"{site}/api/fhir", system_client_id="bedside", private_network=True
    )
    system.forget()


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_what_our_client_signs_our_server_takes(ourselves: Ehr, algorithm: str) -> None:
    ourselves.client_algorithm = algorithm
    access = access_to(ourselves, needed=["RiskAssessment.rs"])
    assert access.given == (READ_RESULTS,)
    assert access.may("RiskAssessment", "r")


def test_what_our_server_does_not_grant_our_client_names(ourselves: Ehr) -> None:
    with pytest.raises(FhirRefused, match=r"did not grant our system client: Patient.rs"):
        access_to(ourselves, needed=["RiskAssessment.rs", "Patient.rs"])


def test_a_caller_that_is_switched_off_learns_no_more_than_that_it_got_no_token(ourselves: Ehr) -> None:
    BackendClient.objects.update(active=False)
    with pytest.raises(FhirRefused, match="invalid_client"):
        access_to(ourselves, needed=["RiskAssessment.rs"])

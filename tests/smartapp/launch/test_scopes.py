"""We ask for what the services need and for what saving writes, and for nothing else."""

from __future__ import annotations

import pytest

from cds import registry
from cds.fhir.versions import Version
from cds.smart_configuration import SmartConfiguration
from smartapp.launch.scopes import scopes_for


def configuration(*capabilities: str) -> SmartConfiguration:
    return SmartConfiguration(
        issuer="", jwks_uri="", authorization_endpoint="", token_endpoint="", capabilities=list(capabilities)
    )


def test_every_need_of_every_service_is_asked_for_and_nothing_more() -> None:
    asked = scopes_for(registry.all_services(), configuration("permission-v2")).split()
    needed = {f"patient/{need.resource}.rs" for service in registry.all_services() for need in service.needs}
    assert {scope for scope in asked if scope.endswith(".rs")} == needed | {"patient/RiskAssessment.rs"}


def test_of_what_is_written_only_our_own_kinds_of_result_are_read_and_changed() -> None:
    asked = scopes_for([], configuration("permission-v2")).split()
    written = {scope for scope in asked if scope.startswith("patient/") and scope != "patient/Patient.rs"}
    assert written == {
        *("patient/RiskAssessment.rs", "patient/RiskAssessment.u", "patient/Observation.u"),
        *(f"patient/{kind}.c" for kind in ("RiskAssessment", "Observation", "Device", "Provenance")),
        *(f"patient/{kind}.{letter}" for kind in ("DiagnosticReport", "DocumentReference") for letter in "cu"),
    }


def test_stu3_is_asked_by_the_names_that_it_has() -> None:
    asked = scopes_for(registry.all_services(), configuration("permission-v2"), version=Version.STU3).split()
    assert "patient/ProcedureRequest.rs" in asked
    assert "patient/ServiceRequest.rs" not in asked


def test_nothing_is_read_where_no_service_is_live() -> None:
    asked = scopes_for([], configuration("permission-v2")).split()
    read = {scope for scope in asked if scope.endswith(".rs")}
    assert read == {"patient/Patient.rs", "patient/RiskAssessment.rs"}  # for the banner, and what we wrote ourselves


def test_a_server_of_version_1_is_asked_in_its_own_words() -> None:
    asked = scopes_for(registry.all_services(), configuration("permission-v1"))
    assert "patient/Observation.read" in asked
    assert {"patient/RiskAssessment.write", "patient/RiskAssessment.read", "patient/Device.write"} <= set(asked.split())
    assert "patient/Device.read" not in asked
    assert ".rs" not in asked


def test_a_standalone_launch_asks_for_a_patient_and_not_for_a_launch() -> None:
    asked = scopes_for([], configuration("permission-v2"), standalone=True).split()
    assert "launch/patient" in asked
    assert "launch" not in asked


@pytest.mark.parametrize(("refresh", "asked"), [("", False), ("online_access", True), ("offline_access", True)])
def test_a_refresh_token_is_asked_for_only_as_the_ehrs_row_says(refresh: str, asked: bool) -> None:
    scopes = scopes_for([], configuration("permission-v2"), refresh=refresh).split()
    assert any(scope.endswith("_access") for scope in scopes) is asked
    assert (refresh in scopes) is asked

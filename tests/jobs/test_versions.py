"""The straight line at a server of each FHIR version: gather, decide, save, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from pytest_django import Settings

from cds import assess, registry
from cds.connect import bearer_client
from cds.context import PatientContext
from cds.fhir.amend import said
from cds.fhir.client import FhirServer as Client
from cds.fhir.identity import identity
from cds.fhir.versions import Version
from cds.finding import Finding
from cds.flow import enabled, open_assessment
from cds.gather import gather
from cds.identity import PatientIdentity
from cds.models import Assessment, Ehr, EnabledService, WriteBack
from cds.writeback import confirm, retract, write_back
from tests.cds.fhir.charts import chart
from tests.conftest import forget
from tests.fhir_server import FhirServer
from tests.serving import serving

SERVICE = registry.get("diabetes-risk")
WRITTEN = ("RiskAssessment", "Observation", "Device", "DocumentReference", "Provenance")
IDENTIFIER = "https://bedside.dev/fhir/identifier/"


@pytest.fixture(params=list(Version), ids=lambda version: version.name)
def server(request: pytest.FixtureRequest) -> Iterator[FhirServer]:
    with serving(FhirServer(request.param)) as server:
        yield server


@pytest.fixture
def ehr(server: FhirServer, db: None, settings: Settings, tmp_path: Path) -> Ehr:
    """Connected, and nobody has asked yet in which version it speaks."""
    forget()
    settings.DICOM_FOLDER = tmp_path / "archive"
    made = Ehr.objects.create(
        name="A server of one version",
        fhir_base=server.base,
        private_network=True,
        mrn_system="urn:oid:2.16.840.1.113883.19.5.99.1",
    )
    EnabledService.objects.create(ehr=made, service_id=SERVICE.id, stage=EnabledService.Stage.LIVE)
    server.keep(*chart(Version(server.version), made.now()))
    return made


def gathered(ehr: Ehr) -> PatientContext:
    return gather(SERVICE, patient_id="ada", now=ehr.now(), client=bearer_client(ehr, "token"))


def decided(ehr: Ehr) -> Assessment:
    assessment = open_assessment(service=SERVICE, here=enabled(ehr, SERVICE), context=gathered(ehr))[0]
    assess.assess(str(assessment.pk))
    assessment.refresh_from_db()
    return assessment


class Asked(NamedTuple):
    """What a clinician's session gives."""

    client: Client
    patient: PatientIdentity
    user: str


def asked(ehr: Ehr) -> Asked:
    client = bearer_client(ehr, "token")
    patient = identity(client.request_json("Patient/ada"), mrn_system=ehr.mrn_system)
    return Asked(client, patient, f"{ehr.fhir_base}/Practitioner/dr-okafor")


def saved(assessment: Assessment) -> list[WriteBack]:
    client, patient, user = asked(assessment.ehr)
    return write_back(assessment, client=client, patient=patient, confirmed_by=user)


def result(server: FhirServer, assessment: Assessment) -> dict[str, Any]:
    """Its RiskAssessment; the identifier is one in STU3 and one of several later."""
    return next(one for one in server.all("RiskAssessment") if str(assessment.pk) in str(one["identifier"]))


def ours(server: FhirServer, kind: str) -> list[dict[str, Any]]:
    """What stands in the chart by us."""
    return [one for one in server.all(kind) if kind == "Provenance" or IDENTIFIER in str(one.get("identifier"))]


def in_r4s_names(context: PatientContext) -> PatientContext:
    """Where an order stands is the one thing that differs."""
    orders = [
        msgspec.structs.replace(order, source=order.source.replace("ProcedureRequest/", "ServiceRequest/"))
        for order in context.orders
    ]
    return msgspec.structs.replace(context, orders=tuple(orders))


def test_the_same_facts_are_read_in_every_version(ehr: Ehr, server: FhirServer) -> None:
    found = in_r4s_names(gathered(ehr))
    assert (found.unread, found.issues) == ((), ())
    with serving(FhirServer(Version.R4)) as other:
        other.keep(*chart(Version.R4, found.now))
        twin = Ehr(name="R4", fhir_base=other.base, private_network=True, fhir_version=Version.R4)
        server.chart.clear()
        server.keep(*chart(Version(server.version), found.now))
        again = gather(SERVICE, patient_id="ada", now=found.now, client=bearer_client(ehr, "token"))
        expected = gather(SERVICE, patient_id="ada", now=found.now, client=bearer_client(twin, "token"))
    assert in_r4s_names(again) == expected
    assert len(expected.stays) == 2
    assert {drug.status for drug in expected.drugs} == {"active", "stopped"}
    assert [order.status for order in expected.orders] == ["on-hold"]


def test_the_record_number_is_known_by_its_type_in_every_version(ehr: Ehr, server: FhirServer) -> None:
    """Without an mrn_system on the row; STU3 names the system of the type otherwise."""
    patient = identity(bearer_client(ehr, "token").request_json("Patient/ada"), mrn_system="")
    assert (patient.mrn, patient.family) == ("NG-100461", "Lindqvist")


def test_the_version_is_found_out_once_and_kept(ehr: Ehr, server: FhirServer) -> None:
    gathered(ehr)
    assert Ehr.objects.get(pk=ehr.pk).fhir_version == server.version
    gathered(Ehr.objects.get(pk=ehr.pk))
    assert server.asked.count("GET metadata") == 1


def test_what_is_decided_is_saved_once_in_the_servers_version(ehr: Ehr, server: FhirServer) -> None:
    """The server takes nothing that its version's models refuse."""
    assessment = decided(ehr)
    assert isinstance(assessment.outcome, Finding)
    assert assessment.outcome.estimate
    for _ in range(2):
        rows = saved(assessment)
        assert {row.status for row in rows} == {WriteBack.Status.SENT}, [row.failure for row in rows]
    assert {kind: len(ours(server, kind)) for kind in WRITTEN} == dict.fromkeys(WRITTEN, 1)
    (risk,), (device,) = ours(server, "RiskAssessment"), ours(server, "Device")
    percent = assessment.outcome.estimate.probability * 100
    assert risk["prediction"][0]["probabilityDecimal"] == pytest.approx(percent, abs=0.05)
    assert risk["performer"] == {"reference": f"Device/{device['id']}"}
    assert risk["subject"] == {"reference": "Patient/ada"}
    assert {"reference": "Observation/glucose-outside"} in risk["basis"]
    assert "Practitioner/dr-okafor" in str(ours(server, "Provenance"))


def test_what_is_saved_is_confirmed_superseded_and_retracted_in_the_servers_version(
    ehr: Ehr, server: FhirServer
) -> None:
    """Each change is valid in the server's version, or the server would not take it; and is of the version that was read."""
    client, patient, user = asked(ehr)
    earlier = decided(ehr)
    saved(earlier)
    confirm(earlier, client=client, patient=patient, by=user, name="Dr. Chika Okafor")
    assert any(kind_of_deed(one) == "AU" for one in server.all("Provenance"))
    glucose = server.chart["Observation/glucose-outside"]
    server.keep(glucose | {"id": "newer", "effectiveDateTime": ehr.now().isoformat(timespec="seconds")})
    newer = decided(ehr)
    saved(newer)
    assert result(server, earlier)["status"] == "amended"
    assert "Superseded by a newer result" in said(result(server, earlier))
    retract(newer, client=client, by=user, why="facts")
    assert result(server, newer)["status"] == "entered-in-error"
    assert "this one counts again" in said(result(server, earlier))
    assert {row.status for row in WriteBack.objects.all()} == {WriteBack.Status.SENT}


def kind_of_deed(provenance: dict[str, Any]) -> str:
    """A Coding in STU3, a CodeableConcept later; "" where the result was written."""
    activity = provenance.get("activity", {})
    return str(activity.get("coding", [activity])[0].get("code", ""))

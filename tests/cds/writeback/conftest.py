"""Ada at an EHR of the tests' own, her answer, and the clinician who saves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import caches
from django.db.models import F
from pytest_django import Settings

from cds import assess, registry
from cds.connect import bearer_client
from cds.fhir.client import FhirServer
from cds.fhir.identity import identity
from cds.flow import enabled, open_assessment
from cds.gather import gather
from cds.models import Assessment, Ehr, EnabledService, WriteBack
from cds.writeback import write_back
from cds.writeback.hand import May, as_the_server_says
from smartapp.demo_ehr.cast import read_cast
from tests.serving import serving
from tests.strange_ehr import StrangeEhr

SERVICE = registry.get("diabetes-risk")
DOCTOR = "Practitioner/dr-okafor"


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, settings: Settings) -> Path:
    settings.DICOM_FOLDER = tmp_path / "archive"
    return tmp_path / "archive"


@dataclass
class Ada:
    """Her record at the strange EHR, as ours sees it."""

    ehr: Ehr
    server: StrangeEhr

    @property
    def client(self) -> FhirServer:
        return bearer_client(self.ehr, "a token")

    def assessed(self) -> Assessment:
        """Of her record as it is now."""
        context = gather(SERVICE, patient_id="ada", now=self.ehr.now(), client=self.client)
        assessment, _ = open_assessment(service=SERVICE, here=enabled(self.ehr, SERVICE), context=context)
        assess.assess(str(assessment.pk))
        assessment.refresh_from_db()
        return assessment

    def press(self, assessment: Assessment, *, user: str = DOCTOR, may: May = as_the_server_says) -> WriteBack:
        """Save to chart; the chart's row."""
        patient = identity(self.client.request_json("Patient/ada"), mrn_system=self.ehr.mrn_system)
        who = f"{self.ehr.fhir_base}/{user}"
        rows = write_back(assessment, client=self.client, patient=patient, confirmed_by=who, may=may)
        return next(row for row in rows if row.target == WriteBack.Target.CHART)

    def measured(self, *, glucose: float) -> None:
        """A new fasting glucose in mmol/L, of today."""
        code = {"coding": [{"system": "http://loinc.org", "code": "14771-0"}]}
        value = {"value": glucose, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"}
        laboratory = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}
        self.server.put(
            {
                "resourceType": "Observation",
                "status": "final",
                "category": [{"coding": [laboratory]}],
                "code": code,
                "subject": {"reference": "Patient/ada"},
                "effectiveDateTime": self.ehr.now().date().isoformat(),
                "valueQuantity": value,
            }
        )

    def forget_statement(self) -> None:
        """What it said of itself is asked for again."""
        caches["process"].clear()


@pytest.fixture
def ada(transactional_db: None, settings: Settings) -> Iterator[Ada]:
    """Time-outs are long: no test depends on how busy this machine is."""
    settings.FHIR_TIMEOUT_SECONDS = settings.FHIR_ANSWER_SECONDS = 30
    caches["process"].clear()
    with serving(StrangeEhr()) as server:
        server.can |= dict.fromkeys(("Condition", "MedicationRequest", "Procedure", "Encounter"), ("search-type",))
        for resource in read_cast():
            if resource["id"] == "ada" or resource.get("subject", {}).get("reference") == "Patient/ada":
                server.put(resource)
        ehr = Ehr.objects.create(name="Elsewhere", fhir_base=server.url, private_network=True)
        EnabledService.objects.create(ehr=ehr, service_id=SERVICE.id, stage=EnabledService.Stage.LIVE)
        yield Ada(ehr, server)


@pytest.fixture
def earlier(ada: Ada) -> Assessment:
    """Saved a month ago."""
    assessment = ada.assessed()
    assert ada.press(assessment).status == WriteBack.Status.SENT
    Assessment.objects.update(created_at=F("created_at") - timedelta(days=30))
    return assessment


@pytest.fixture
def newer(ada: Ada, earlier: Assessment) -> Assessment:
    ada.measured(glucose=7.4)
    assessment = ada.assessed()
    assert assessment != earlier
    return assessment

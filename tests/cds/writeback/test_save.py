"""Save to chart, against the demo hospital over HTTP and the archive's folder."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pydicom
import pytest
from django.utils import timezone
from pytest_django import Settings

from cds import assess, registry
from cds.connect import bearer_client
from cds.errors import BadInput
from cds.fhir.client import FhirServer
from cds.fhir.identity import identity
from cds.flow import enabled, open_assessment
from cds.gather import gather
from cds.identity import PatientIdentity
from cds.models import Assessment, AuditEntry, Ehr, EnabledService, WriteBack
from cds.writeback import WriteBackOff, write_back
from smartapp.demo_ehr import hooks
from smartapp.demo_ehr.store import chart_store
from tests.at_once import at_once
from tests.naming import named

SERVICE = registry.get("diabetes-risk")
DOCTOR = "Practitioner/dr-okafor"
WRITTEN = ("RiskAssessment", "Observation", "Device", "Provenance")
Status = WriteBack.Status


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, settings: Settings) -> Path:
    settings.DICOM_FOLDER = tmp_path / "archive"
    return tmp_path / "archive" / "test"  # of a test system


def client_of(ehr: Ehr, patient_id: str = "ada", scope: str = "patient/*.cruds") -> FhirServer:
    return bearer_client(ehr, hooks.bearer(patient_id, scope))


def read(ehr: Ehr, patient_id: str = "ada") -> PatientIdentity:
    found = client_of(ehr, patient_id).request_json(f"Patient/{patient_id}")
    return identity(found, mrn_system=ehr.mrn_system)


def assessed(ehr: Ehr, patient_id: str = "ada") -> Assessment:
    client = client_of(ehr, patient_id)
    context = gather(SERVICE, patient_id=patient_id, now=ehr.now(), client=client)
    assessment = opened(ehr, context)
    assess.assess(str(assessment.pk))
    assessment.refresh_from_db()
    return assessment


def opened(ehr: Ehr, context: Any) -> Assessment:
    found = open_assessment(service=SERVICE, here=enabled(ehr, SERVICE), context=context)
    return found[0]


def press(
    assessment: Assessment, *, client: FhirServer | None = None, patient: PatientIdentity | None = None
) -> dict[str, WriteBack]:
    """Save to chart, as Ada's session unless told otherwise; the rows by target."""
    ehr = assessment.ehr
    rows = write_back(
        assessment,
        client=client or client_of(ehr),
        patient=patient or read(ehr),
        confirmed_by=f"{ehr.fhir_base}/{DOCTOR}",
    )
    return {row.target: row for row in rows}


def by_us(kind: str) -> list[dict[str, Any]]:
    """What stands in the chart now and did not this morning."""
    return [
        one
        for one in chart_store().all(kind)
        if kind == "Provenance" or any("bedside.dev" in name["system"] for name in one.get("identifier", []))
    ]


def counts() -> dict[str, int]:
    return {kind: len(by_us(kind)) for kind in WRITTEN}


ONCE = dict.fromkeys(WRITTEN, 1)
NOTHING = dict.fromkeys(WRITTEN, 0)


def test_the_chart_keeps_what_the_model_said_and_the_rows_say_where(hospital: Ehr) -> None:
    assessment = assessed(hospital)
    rows = press(assessment)
    assert {row.status for row in rows.values()} == {Status.SENT}
    (risk,), (observation,) = by_us("RiskAssessment"), by_us("Observation")
    assert risk["prediction"][0]["probabilityDecimal"] == observation["valueQuantity"]["value"]
    assert risk["basis"][0] == {"reference": f"Observation/{observation['id']}"}
    assert f"RiskAssessment/{risk['id']}" in rows["chart"].resources
    assert {reference.split("/")[0] for reference in rows["chart"].resources} == {*WRITTEN, "DocumentReference"}


def test_the_percentage_in_the_chart_is_a_hundred_times_the_models_fraction(hospital: Ehr) -> None:
    assessment = assessed(hospital)
    press(assessment)
    outcome: Any = assessment.outcome
    assert by_us("RiskAssessment")[0]["prediction"][0]["probabilityDecimal"] == pytest.approx(
        outcome.estimate.probability * 100, abs=0.05
    )


def test_the_provenance_names_the_algorithm_as_author_and_the_clinician_as_verifier(hospital: Ehr) -> None:
    press(assessed(hospital))
    (found,), (device,) = by_us("Provenance"), by_us("Device")
    assert [agent["who"]["reference"] for agent in found["agent"]] == [f"Device/{device['id']}", DOCTOR]


def test_the_archive_gets_a_report_under_the_record_number(hospital: Ehr, archive: Path) -> None:
    row = press(assessed(hospital))["archive"]
    report = pydicom.dcmread(archive / f"{row.resources[0]}.dcm")
    assert (report.PatientID, report.PatientName.family_name) == ("NG-100461", "Lindqvist")


def test_the_model_card_is_filed_once_and_the_algorithm_points_to_it(hospital: Ehr) -> None:
    press(assessed(hospital))
    (card,), (device,) = by_us("DocumentReference"), by_us("Device")
    assert card["type"]["coding"][0]["code"] == "AIModelCard"
    assert device["extension"][-1]["valueReference"] == {"reference": f"DocumentReference/{card['id']}"}


def test_an_ehr_that_takes_no_card_still_gets_algorithm_and_provenance(hospital: Ehr) -> None:
    scope = " ".join(f"patient/{kind}.c" for kind in WRITTEN)
    rows = press(assessed(hospital), client=client_of(hospital, scope=scope))
    assert rows["chart"].status == Status.SENT
    assert counts() == ONCE
    assert by_us("DocumentReference") == []


def test_pressing_twice_writes_once(hospital: Ehr, archive: Path) -> None:
    assessment = assessed(hospital)
    first, second = press(assessment), press(assessment)
    assert counts() == ONCE
    assert len(list(archive.iterdir())) == 2  # the structured report and its PDF
    assert [row.resources for row in first.values()] == [row.resources for row in second.values()]
    assert {row.tries for row in second.values()} == {1}


def test_pressing_at_the_same_moment_writes_once(hospital: Ehr, archive: Path) -> None:
    assessment = assessed(hospital)
    client, patient = client_of(hospital), read(hospital)
    seen = at_once(4, lambda: [row.status for row in press(assessment, client=client, patient=patient).values()])
    assert counts() == ONCE
    assert len(list(archive.iterdir())) == 2  # the structured report and its PDF
    assert [len(statuses) for statuses in seen] == [2, 2, 2, 2]
    assert set(WriteBack.objects.values_list("status", "tries")) == {(Status.SENT, 1)}


def test_a_row_that_somebody_else_is_sending_is_returned_as_it_is(hospital: Ehr) -> None:
    assessment, soon = assessed(hospital), timezone.now() + timedelta(minutes=1)
    WriteBack.objects.create(assessment=assessment, target="chart", tries=1, held_until=soon)
    assert press(assessment)["chart"].status == Status.QUEUED
    assert counts() == NOTHING


def test_a_row_that_a_dead_process_left_behind_is_sent_by_the_next_press(hospital: Ehr) -> None:
    assessment, long_ago = assessed(hospital), timezone.now() - timedelta(seconds=1)
    WriteBack.objects.create(assessment=assessment, target="chart", tries=1, held_until=long_ago)
    row = press(assessment)["chart"]
    assert (row.status, row.tries) == (Status.SENT, 2)
    assert counts() == ONCE


def lose_the_answer(assessment: Assessment) -> None:
    """The EHR wrote it, and the connection broke before it could say so."""
    press(assessment)
    WriteBack.objects.update(status=Status.WAITING, steps={}, resources=[], failure="FhirUnreachable")


def test_after_a_lost_answer_the_next_press_finds_what_was_written(hospital: Ehr) -> None:
    assessment = assessed(hospital)
    lose_the_answer(assessment)
    row = press(assessment)["chart"]
    assert row.status == Status.SENT
    assert f"RiskAssessment/{by_us('RiskAssessment')[0]['id']}" in row.resources
    assert counts() == ONCE


def test_after_a_lost_answer_nothing_doubles_though_we_may_not_look(hospital: Ehr) -> None:
    assessment = assessed(hospital)
    lose_the_answer(assessment)
    assert press(assessment, client=client_of(hospital, scope="patient/*.c"))["chart"].status == Status.SENT
    assert counts() == ONCE


def test_an_ehr_that_takes_no_device_still_gets_the_result_with_its_author_inside(hospital: Ehr) -> None:
    scope = "patient/RiskAssessment.c patient/Observation.c"
    rows = press(assessed(hospital), client=client_of(hospital, scope=scope))
    assert rows["chart"].status == Status.SENT
    assert counts() == {"RiskAssessment": 1, "Observation": 1, "Device": 0, "Provenance": 0}
    assert by_us("RiskAssessment")[0]["contained"][0]["resourceType"] == "Device"


def test_what_a_token_does_not_open_is_left_out_and_said(hospital: Ehr) -> None:
    client = client_of(hospital, scope="patient/Observation.c patient/Device.c patient/Provenance.c")
    row = press(assessed(hospital), client=client)["chart"]
    assert (row.status, row.form) == (Status.SENT, WriteBack.Form.OBSERVATION)
    assert row.lacking == "no risk assessment (it answered 403, forbidden)"
    assert counts() == ONCE | {"RiskAssessment": 0}


def test_an_ehr_that_does_not_answer_is_tried_again_by_the_next_press(hospital: Ehr) -> None:
    """Where it gives us no access of our own; where it does, tests/cds/writeback/test_alone.py."""
    hospital.system_client_id = ""
    hospital.save()
    assessment, base, patient = assessed(hospital), hospital.fhir_base, read(hospital)
    hospital.fhir_base = assessment.ehr.fhir_base = "http://127.0.0.1:9/fhir"  # the port "discard": nobody listens
    failed = press(assessment, client=client_of(hospital), patient=patient)["chart"]
    assert (failed.status, failed.tries) == (Status.WAITING, 1)
    assert "FhirUnreachable" in failed.failure
    hospital.fhir_base = assessment.ehr.fhir_base = base
    sent = press(assessment, client=client_of(hospital), patient=patient)["chart"]
    assert (sent.status, sent.tries, sent.failure) == (Status.SENT, 2, "")
    assert counts() == ONCE


def test_an_archive_that_cannot_be_written_does_not_keep_the_chart_from_it(
    hospital: Ehr, tmp_path: Path, settings: Settings
) -> None:
    (tmp_path / "file").touch()
    settings.DICOM_FOLDER = tmp_path / "file" / "folder"
    rows = press(assessed(hospital))
    assert (rows["chart"].status, rows["archive"].status) == (Status.SENT, Status.QUEUED)
    assert "Tell an administrator" in rows["archive"].failure
    assert str(tmp_path) not in rows["archive"].failure


def test_without_a_record_number_only_the_archive_is_refused(hospital: Ehr) -> None:
    rows = press(assessed(hospital), patient=msgspec.structs.replace(read(hospital), mrn=""))
    assert (rows["chart"].status, rows["archive"].status) == (Status.SENT, Status.FAILED)
    assert rows["archive"].failure.startswith("The record names no single record number")


def test_without_an_identity_only_the_archive_is_refused(hospital: Ehr) -> None:
    rows = write_back(assessed(hospital), client=client_of(hospital), patient=None, confirmed_by=DOCTOR)
    assert [row.status for row in rows] == [Status.SENT, Status.FAILED]
    assert "needs the patient's identity" in rows[1].failure


@pytest.mark.parametrize(
    "policy",
    [{"write_back": EnabledService.WriteBackPolicy.OFF}, {"stage": EnabledService.Stage.SILENT}],
    ids=["write-back off", "silent"],
)
def test_a_policy_that_does_not_allow_it_is_said_and_nothing_is_written(hospital: Ehr, policy: dict[str, str]) -> None:
    assessment = assessed(hospital)
    EnabledService.objects.update(**policy)
    with pytest.raises(WriteBackOff, match="nothing was written"):
        press(assessment)
    assert not WriteBack.objects.exists()
    assert counts() == NOTHING


def test_another_patient_on_the_screen_stops_it(hospital: Ehr) -> None:
    assessment = assessed(hospital)
    with pytest.raises(BadInput, match="another patient"):
        press(assessment, patient=read(hospital, "bruno"))
    assert counts() == NOTHING


def test_another_hospitals_client_stops_it(hospital: Ehr) -> None:
    assessment = assessed(hospital)
    elsewhere = Ehr(name="Elsewhere", fhir_base="https://elsewhere.example/fhir")
    with pytest.raises(BadInput, match="another EHR"):
        press(assessment, client=bearer_client(elsewhere, "token"))


def test_an_answer_that_is_not_there_yet_is_not_written(hospital: Ehr) -> None:
    context = gather(SERVICE, patient_id="ada", now=hospital.now(), client=client_of(hospital))
    with pytest.raises(BadInput, match="no answer yet"):
        press(opened(hospital, context))


def test_where_there_is_no_estimate_there_is_nothing_to_keep(hospital: Ehr) -> None:
    client, patient = client_of(hospital, "dara"), read(hospital, "dara")
    assert press(assessed(hospital, "dara"), client=client, patient=patient) == {}


def test_each_write_is_audited_before_and_after_and_names_nobody(hospital: Ehr) -> None:
    assessment = assessed(hospital)
    press(assessment)
    entries = AuditEntry.objects.filter(action="write-back").order_by("pk")
    steps = [(entry.detail["target"], entry.detail["step"]) for entry in entries]
    assert steps == [("chart", "begun"), ("chart", "sent"), ("archive", "begun"), ("archive", "sent")]
    assert {(entry.subject, entry.patient_key) for entry in entries} == {
        (str(assessment.id), hospital.pseudonym("ada"))
    }
    assert "okafor" not in str(entries.values())


def test_a_failure_leaves_no_trace_of_the_patient_in_the_log(hospital: Ehr, caplog: pytest.LogCaptureFixture) -> None:
    assessment, patient = assessed(hospital), msgspec.structs.replace(read(hospital), mrn="")
    with caplog.at_level(logging.DEBUG, logger="cds"):
        press(assessment, client=client_of(hospital), patient=patient)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("cds.writeback")]
    assert said[-1] == f"write-back archive of assessment {assessment.id} failed: BadInput"
    assert not named(" ".join(said), "ada", "Lindqvist", "NG-100461")

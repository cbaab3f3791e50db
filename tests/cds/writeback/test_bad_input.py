"""What EHRs answer on bad days: nothing is lost, nothing is written twice, and the person is told."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import Any

import pytest
from django.test import override_settings

from cds.errors import BadInput
from cds.models import KnownLimit, WriteBack
from tests.cds.writeback.conftest import Ada
from tests.cds.writeback.test_chart import outcome
from tests.strange_ehr import Fault

Status = WriteBack.Status
HTML = b"<!doctype html><title>Down for maintenance</title><p>Lindqvist, Ada"
ONCE = {"Device": 1, "DocumentReference": 1, "Observation": 1, "Provenance": 1, "RiskAssessment": 1}
# What becomes of the row, and what the clinician reads.
BAD_DAYS: dict[str, tuple[dict[str, Any], str, str]] = {
    "401": ({"status": 401}, Status.WAITING, "The session at the EHR is over."),
    "403": ({"status": 403}, Status.DECLINED, "Nothing was written"),
    "404": ({"status": 404}, Status.DECLINED, "Nothing was written"),
    "409": ({"status": 409}, Status.WAITING, "busy with the same record"),
    "410": ({"status": 410}, Status.FAILED, "was deleted at the EHR"),
    "412": ({"status": 412}, Status.FAILED, "several times or in a newer version"),
    "422": ({"status": 422}, Status.DECLINED, "it answered 422"),
    "429": ({"status": 429, "headers": {"Retry-After": "120"}}, Status.WAITING, "asks Bedside to wait"),
    "500": ({"status": 500}, Status.WAITING, "did not answer in time, or not in a usable way"),
    "HTML": ({"status": 200, "body": HTML}, Status.WAITING, "not in a usable way"),
    "half": ({"status": 200, "cut": True}, Status.WAITING, "not in a usable way"),
    "silence": ({"silent": True}, Status.WAITING, "did not answer in time"),
}

IMPATIENT = override_settings(FHIR_TIMEOUT_SECONDS=0.5, FHIR_ANSWER_SECONDS=0.5)

REFUSED = {"403", "404", "410", "412", "422"}  # definite: whoever says so has done nothing
CASES = [(day, False) for day in BAD_DAYS] + [(day, True) for day in BAD_DAYS if day not in REFUSED]


@pytest.mark.parametrize("atomic", [True, False], ids=["atomic", "one by one"])
@pytest.mark.parametrize(("day", "done"), CASES, ids=[f"{day}{', done' if done else ''}" for day, done in CASES])
def test_on_a_bad_day_the_row_is_kept_and_on_a_better_one_it_is_written_once(
    ada: Ada, day: str, atomic: bool, done: bool
) -> None:
    fault, status, said = BAD_DAYS[day]
    if day == "HTML" and done and not atomic:
        status, said = Status.SENT, ""  # it connected, so it could be asked at once what it has
    ada.server.atomic, assessment = atomic, ada.assessed()
    ada.server.faults.append(Fault(**fault, done=done))
    with IMPATIENT if fault.get("silent") else nullcontext():
        row = ada.press(assessment)
    assert (row.status, said in row.failure) == (status, True), row.failure
    ada.server.faults.clear()
    KnownLimit.objects.all().delete()  # as an administrator does who has had it mended
    row = ada.press(assessment)
    assert (row.status, row.failure) == (Status.SENT, "")
    assert ada.server.written() == ONCE
    assert len(row.resources) == len(set(row.resources)) == 5


@pytest.mark.parametrize("day", BAD_DAYS)
def test_what_it_answers_is_neither_logged_nor_shown(ada: Ada, day: str, caplog: pytest.LogCaptureFixture) -> None:
    assessment = ada.assessed()
    ada.server.faults.append(Fault(**{"body": outcome("processing"), **BAD_DAYS[day][0]}))
    with caplog.at_level(logging.DEBUG, logger="cds"):
        row = ada.press(assessment)
    assert not [word for word in ("Ada", "Lindqvist", "Patient/ada") if word in caplog.text + row.failure + row.lacking]


@pytest.mark.parametrize("gone", [404, 410])
def test_a_patient_deleted_between_reading_and_writing(ada: Ada, gone: int) -> None:
    assessment = ada.assessed()
    deleted = Fault(method="GET", path="Patient/ada", status=gone)
    ada.server.faults.append(Fault(path=".*", status=422, first=lambda: ada.server.faults.insert(0, deleted)))
    row = ada.press(assessment)
    assert row.status == Status.FAILED
    assert "The patient's record was deleted at the EHR" in row.failure
    assert not KnownLimit.objects.exists()
    assert ada.server.written() == {}


def test_a_patient_merged_between_reading_and_writing(ada: Ada) -> None:
    assessment = ada.assessed()

    def merge() -> None:
        other = {"other": {"reference": "Patient/other"}, "type": "replaced-by"}
        ada.server.put({**ada.server.chart["Patient/ada"][-1], "active": False, "link": [other]})

    ada.server.faults.append(Fault(status=422, first=merge))
    row = ada.press(assessment)
    assert row.status == Status.FAILED
    assert "merged into another one" in row.failure
    assert ada.server.written() == {}


def test_a_record_with_two_record_numbers_is_not_filed_in_the_archive_under_either(ada: Ada) -> None:
    patient = ada.server.chart["Patient/ada"][-1]
    number = {"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}}
    two = [{**number, "system": "urn:a", "value": "1"}, {**number, "system": "urn:b", "value": "2"}]
    ada.server.put({**patient, "identifier": two})
    assessment = ada.assessed()
    assert ada.press(assessment).status == Status.SENT
    row = assessment.write_backs.get(target="archive")
    assert row.status == Status.FAILED
    assert row.failure.startswith("The record names no single record number of the patient; an administrator can set")


@pytest.mark.parametrize(
    "name",
    ["O\\Brien", "Van^der^Berg=X", "x" * 300, "<script>alert(1)</script>", "李雷", "\u202eevil", "A\x00B"],
    ids=["backslash", "carets", "300", "markup", "Chinese", "right-to-left override", "NUL"],
)
def test_whatever_a_name_holds_chart_and_archive_get_their_result(ada: Ada, name: str) -> None:
    ada.server.put({**ada.server.chart["Patient/ada"][-1], "name": [{"family": name, "given": ["Ada"]}]})
    ada.ehr.mrn_system = "urn:oid:2.16.840.1.113883.19.5.99.1"
    ada.ehr.save()
    assessment = ada.assessed()
    ada.press(assessment)
    assert {row.status for row in assessment.write_backs.all()} == {Status.SENT}, list(
        assessment.write_backs.values_list("failure")
    )


def test_another_patients_answer_to_the_read_stops_it(ada: Ada) -> None:
    assessment = ada.assessed()
    ada.server.put({**ada.server.chart["Patient/ada"][-1], "id": "bruno"})
    bruno = b'{"resourceType": "Patient", "id": "bruno"}'
    ada.server.faults.append(Fault(method="GET", path="Patient/ada", status=200, body=bruno))
    with pytest.raises(BadInput, match="another patient"):
        ada.press(assessment)
    assert ada.server.written() == {}

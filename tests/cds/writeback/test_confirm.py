"""A clinician has read what is saved and vouches for it: in the chart and in the archive, once, by name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
from django.utils import timezone

from cds.fhir.identity import identity
from cds.models import Assessment, AuditEntry, EnabledService, WriteBack
from cds.writeback import NotNow, NotYours, WriteBackOff, confirm, resume, retract
from cds.writeback.hand import May, as_the_server_says
from tests.cds.writeback.conftest import DOCTOR, Ada
from tests.cds.writeback.test_supersede import results
from tests.strange_ehr import Fault

Aim, Status, Target = WriteBack.Aim, WriteBack.Status, WriteBack.Target
NAME = "Dr. Chika Okafor"
OTHER = "Practitioner/dr-other"


def vouch(
    ada: Ada, assessment: Assessment, *, user: str = DOCTOR, name: str = NAME, may: May = as_the_server_says
) -> dict[str, WriteBack]:
    """The rows by target."""
    patient = identity(ada.client.request_json("Patient/ada"), mrn_system=ada.ehr.mrn_system)
    by = f"{ada.ehr.fhir_base}/{user}" if user else ""
    rows = confirm(assessment, client=ada.client, patient=patient, by=by, name=name, may=may)
    return {row.target: row for row in rows}


def said_to_be_confirmed(ada: Ada) -> list[dict[str, Any]]:
    """The Provenances of it."""
    found = [one for one in ada.server.now("Provenance") if "activity" in one]
    return [one for one in found if one["activity"]["coding"][0]["code"] == "AU"]


def archived(archive: Path) -> list[pydicom.FileDataset]:
    """The structured reports, the verified one last."""
    found = [pydicom.dcmread(path) for path in archive.iterdir()]
    return sorted((one for one in found if one.Modality == "SR"), key=lambda one: one.InstanceNumber)


@pytest.fixture
def saved(ada: Ada) -> Assessment:
    assessment = ada.assessed()
    assert ada.press(assessment).status == Status.SENT
    return assessment


@pytest.fixture
def by_policy(saved: Assessment, ada: Ada) -> Assessment:
    """Written without anybody who confirmed it."""
    WriteBack.objects.update(requested_by=None)
    for kind in ("RiskAssessment", "Observation"):
        for one in ada.server.ours(kind):
            ada.server.put({**one, "status": "preliminary"})
    return saved


# --- In the chart -------------------------------------------------------------------------------------------------
def test_what_was_preliminary_is_final_and_the_provenance_names_who_verified(ada: Ada, by_policy: Assessment) -> None:
    before = results(ada, by_policy)
    assert vouch(ada, by_policy)["chart"].status == Status.SENT
    for kind, one in results(ada, by_policy).items():
        assert {name for name in one if one[name] != before[kind].get(name)} == {"meta", "status"}
        assert one["status"] == "final"
    (found,) = said_to_be_confirmed(ada)
    assert found["agent"][0]["type"]["coding"][0]["code"] == "verifier"
    assert found["agent"][0]["who"]["reference"] == DOCTOR
    assert {one["reference"] for one in found["target"]} == {
        f"{kind}/{one['id']}" for kind, one in results(ada, by_policy).items()
    }


def test_what_is_final_stays_as_it_is_and_its_verifier_is_named(ada: Ada, saved: Assessment) -> None:
    before = results(ada, saved)
    assert vouch(ada, saved, user=OTHER)["chart"].status == Status.SENT
    assert results(ada, saved) == before
    assert [one["agent"][0]["who"]["reference"] for one in said_to_be_confirmed(ada)] == [OTHER]


def test_what_somebody_marked_as_wrong_in_the_chart_is_not_confirmed(ada: Ada, saved: Assessment) -> None:
    for one in results(ada, saved).values():
        ada.server.put({**one, "status": "entered-in-error"})
    assert vouch(ada, saved)["chart"].resources == []
    assert said_to_be_confirmed(ada) == []


def test_where_the_ehr_takes_no_change_it_is_said_that_it_stands_unconfirmed(ada: Ada, by_policy: Assessment) -> None:
    row = vouch(ada, by_policy, may=lambda kind, letter: letter != "u")["chart"]
    assert (row.status, "There it stands unconfirmed" in row.failure) == (Status.DECLINED, True)


# --- In the archive -----------------------------------------------------------------------------------------------
def test_the_report_is_filed_anew_under_the_clinicians_name_and_names_the_first_one(
    ada: Ada, saved: Assessment, archive: Path
) -> None:
    row = vouch(ada, saved)["archive"]
    first, second = archived(archive)
    observer, predecessor = second.VerifyingObserverSequence[0], second.PredecessorDocumentsSequence[0]
    assert (observer.VerifyingObserverName, observer.VerifyingOrganization) == (NAME, "Elsewhere")
    series = predecessor.ReferencedSeriesSequence[0]
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert (first.VerificationFlag, second.VerificationFlag) == ("UNVERIFIED", "VERIFIED")
    assert (row.status, row.payload, str(second.SOPInstanceUID) in row.resources) == (Status.SENT, None, True)


def test_an_archive_that_was_away_gets_it_later_without_anybodys_session(
    ada: Ada, saved: Assessment, archive: Path
) -> None:
    kept = archive.rename(archive.with_name("elsewhere"))
    archive.write_text("no folder")
    row = vouch(ada, saved)["archive"]
    assert (row.status, row.payload is None) == (Status.QUEUED, False)
    archive.unlink()
    kept.rename(archive)
    resume(row.pk)
    assert [one.VerificationFlag for one in archived(archive)] == ["UNVERIFIED", "VERIFIED"]


def test_the_name_is_kept_in_no_row_or_audit_entry_that_can_be_read(ada: Ada, saved: Assessment) -> None:
    vouch(ada, saved)
    kept = [*WriteBack.objects.values_list("resources", "failure", "steps"), *AuditEntry.objects.values_list("detail")]
    assert "Okafor" not in str(kept)
    assert {entry.detail["step"] for entry in AuditEntry.objects.all() if entry.detail.get("aim") == "confirm"} == {
        "begun",
        "sent",
    }


# --- Once, and by whom --------------------------------------------------------------------------------------------
def test_pressed_twice_it_is_confirmed_once(ada: Ada, saved: Assessment, archive: Path) -> None:
    vouch(ada, saved)
    before = dict(ada.server.chart), {path: path.read_bytes() for path in archive.iterdir()}
    vouch(ada, saved)
    assert before == (ada.server.chart, {path: path.read_bytes() for path in archive.iterdir()})
    assert len(said_to_be_confirmed(ada)) == 1


def test_after_a_lost_answer_it_goes_on_and_nothing_is_said_twice(ada: Ada, by_policy: Assessment) -> None:
    ada.server.faults.append(Fault(path="Provenance", status=503, done=True, times=1))
    assert vouch(ada, by_policy)["chart"].status == Status.WAITING
    assert vouch(ada, by_policy)["chart"].status == Status.SENT
    assert len(said_to_be_confirmed(ada)) == 1


def test_after_the_session_is_over_it_waits_for_the_same_clinician(ada: Ada, saved: Assessment) -> None:
    ada.server.faults.append(Fault(path="Provenance", status=401, times=1))
    row = vouch(ada, saved)["chart"]
    assert (row.status, row.failure) == (Status.WAITING, "The session at the EHR is over. (FhirRefused 401)")
    with pytest.raises(NotNow, match="A colleague"):
        vouch(ada, saved, user=OTHER)
    assert vouch(ada, saved)["chart"].status == Status.SENT


@pytest.mark.parametrize(
    ("user", "name", "letters", "why"),
    [
        ("", NAME, "cru", "does not say who you are"),
        (DOCTOR, "", "cru", "does not say who you are"),
        ("Patient/ada", "Ada", "cru", "does not say who you are"),
        (DOCTOR, NAME, "rs", "lets you read only"),
    ],
)
def test_who_has_no_name_or_may_only_read_confirms_nothing(
    ada: Ada, saved: Assessment, user: str, name: str, letters: str, why: str
) -> None:
    with pytest.raises(NotNow, match=why):
        vouch(ada, saved, user=user, name=name, may=lambda _kind, letter: letter in letters)
    assert not WriteBack.objects.filter(aim=Aim.CONFIRM).exists()


def test_what_is_not_saved_everywhere_is_not_confirmed(ada: Ada, saved: Assessment) -> None:
    saved.write_backs.filter(target=Target.ARCHIVE).update(status=Status.QUEUED)
    with pytest.raises(NotNow, match="once it is saved"):
        vouch(ada, saved)


def test_what_a_newer_result_supersedes_is_not_confirmed(ada: Ada, earlier: Assessment, newer: Assessment) -> None:
    ada.press(newer)
    with pytest.raises(NotNow, match="newer result"):
        vouch(ada, earlier)


def test_what_may_not_be_written_any_more_is_not_confirmed(ada: Ada, saved: Assessment) -> None:
    EnabledService.objects.update(write_back=EnabledService.WriteBackPolicy.OFF)
    with pytest.raises(WriteBackOff):
        vouch(ada, saved)


# --- Afterwards ---------------------------------------------------------------------------------------------------
def test_who_confirmed_it_may_retract_it_and_nobody_else(ada: Ada, by_policy: Assessment) -> None:
    vouch(ada, by_policy)
    with pytest.raises(NotYours):
        retract(by_policy, client=ada.client, by=f"{ada.ehr.fhir_base}/{OTHER}", why="facts")
    retract(by_policy, client=ada.client, by=f"{ada.ehr.fhir_base}/{DOCTOR}", why="facts")
    assert {one["status"] for one in results(ada, by_policy).values()} == {"entered-in-error"}
    with pytest.raises(WriteBackOff, match="retracted"):
        vouch(ada, by_policy)


def test_a_confirmation_that_waits_is_called_off_by_a_retraction(ada: Ada, saved: Assessment, archive: Path) -> None:
    kept = archive.rename(archive.with_name("elsewhere"))
    archive.write_text("no folder")
    row = vouch(ada, saved)["archive"]
    WriteBack.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    retract(saved, client=ada.client, by=f"{ada.ehr.fhir_base}/{DOCTOR}", why="facts")
    row.refresh_from_db()
    assert (row.status, row.payload) == (Status.DECLINED, None)
    assert row.failure == "It was retracted before it was confirmed."
    assert len([pydicom.dcmread(path) for path in kept.iterdir()]) == 2

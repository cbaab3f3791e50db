"""When a row is tried again, by whom, and when nobody tries any more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from cds import tasks
from cds.models import AuditEntry, Ehr, EnabledService, KnownLimit, WriteBack
from cds.writeback import due, outbox, resume
from tests.cds.writeback.conftest import Ada
from tests.strange_ehr import Fault

Status = WriteBack.Status
CHART = WriteBack.Target.CHART


@pytest.fixture
def row(ada: Ada) -> WriteBack:
    """Ada's result that the EHR did not take when it was pressed."""
    assessment = ada.assessed()
    ada.server.faults.append(Fault(status=503, times=1))
    return ada.press(assessment)


@pytest.fixture
def report(ada: Ada, tmp_path: Path, settings: Settings) -> WriteBack:
    """Ada's report while the archive cannot be written."""
    (tmp_path / "file").touch()
    settings.DICOM_FOLDER = tmp_path / "file" / "folder"
    number = {"system": "urn:mrn", "value": "1"}
    ada.server.put({**ada.server.chart["Patient/ada"][-1], "identifier": [number]})
    Ehr.objects.update(mrn_system="urn:mrn")
    ada.ehr.refresh_from_db()
    assessment = ada.assessed()
    ada.press(assessment)
    settings.DICOM_FOLDER = tmp_path / "archive"
    return assessment.write_backs.get(target="archive")


def test_a_report_goes_on_without_a_session_and_is_kept_encrypted_until_then(report: WriteBack, archive: Path) -> None:
    assert (report.status, report.payload is not None) == (Status.QUEUED, True)
    resume(report.pk)
    report.refresh_from_db()
    assert (report.status, report.payload, report.failure) == (Status.SENT, None, "")
    assert pydicom.dcmread(archive / f"{report.resources[0]}.dcm").PatientID == "1"


def test_the_beat_sends_what_is_due_and_only_that(report: WriteBack, archive: Path, worker: None) -> None:
    assert report.due_at > timezone.now()
    assert due() == []
    WriteBack.objects.update(due_at=timezone.now())
    assert due() == [report.pk]
    assert due() == []  # it is handed out once in a while


def test_the_task_tries_one_row(report: WriteBack, archive: Path) -> None:
    tasks.send_write_back(report.pk)
    assert len(list(archive.iterdir())) == 2  # the structured report and its PDF


def test_each_delay_is_longer_up_to_an_hour_and_never_shorter_than_asked(report: WriteBack) -> None:
    waits = []
    for _ in range(12):
        assert outbox.take(report)
        began = timezone.now()
        outbox.postpone(report, failure="busy", retry_after=None)
        waits.append((report.due_at - began).total_seconds())
    assert all(15 * 2**n - 1 <= wait <= 30 * 2**n + 1 for n, wait in enumerate(waits[:5], start=1))  # one was before
    assert 1800 <= waits[-1] <= 3601
    assert outbox.take(report)
    outbox.postpone(report, failure="busy", retry_after=7200)
    assert report.due_at - timezone.now() > timedelta(seconds=7190)
    assert outbox.take(report)
    outbox.postpone(report, failure="busy", retry_after=1e9)
    assert report.due_at - timezone.now() < timedelta(hours=25)


def test_after_days_it_is_given_up_and_waits_for_an_administrator(
    report: WriteBack, settings: Settings, tmp_path: Path
) -> None:
    settings.DICOM_FOLDER = tmp_path / "file" / "folder"
    WriteBack.objects.update(delays=outbox.MOST_DELAYS)
    resume(report.pk)
    report.refresh_from_db()
    assert report.status == Status.FAILED
    assert report.failure.startswith("Given up after days of trying. The archive's folder cannot be written")
    assert report.payload is not None


def test_what_was_left_in_the_middle_and_needs_a_session_waits_for_the_next_press(ada: Ada, row: WriteBack) -> None:
    died = timezone.now() - timedelta(seconds=1)
    WriteBack.objects.filter(pk=row.pk).update(status=Status.QUEUED, held_until=died, due_at=died)
    assert due() == [row.pk]
    resume(row.pk)
    row.refresh_from_db()
    assert (row.status, "interrupted" in row.failure) == (Status.WAITING, True)
    assert ada.press(row.assessment).status == Status.SENT


def test_what_was_switched_off_meanwhile_is_not_sent(report: WriteBack, archive: Path) -> None:
    EnabledService.objects.update(write_back=EnabledService.WriteBackPolicy.OFF)
    resume(report.pk)
    report.refresh_from_db()
    assert (report.status, "switched off" in report.failure) == (Status.DECLINED, True)
    assert not archive.exists()


def test_a_patient_who_opted_out_meanwhile_is_not_written_about(report: WriteBack, archive: Path) -> None:
    about = report.assessment
    about.ehr.opt_outs.create(patient_key=about.patient_key)
    resume(report.pk)
    report.refresh_from_db()
    assert (report.status, "opted out" in report.failure) == (Status.DECLINED, True)
    assert not archive.exists()


def test_nothing_is_sent_to_an_ehr_that_is_disconnected(report: WriteBack) -> None:
    WriteBack.objects.update(due_at=timezone.now())
    Ehr.objects.update(active=False)
    assert due() == []


# --- An administrator, an operator ----------------------------------------------------------------------------------
@pytest.fixture
def administrator(db: None) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_an_administrator_sends_again_for_a_reason_that_is_audited(administrator: Client, report: WriteBack) -> None:
    WriteBack.objects.update(status=Status.FAILED, delays=9)
    KnownLimit.objects.create(ehr=report.assessment.ehr, resource="Device", interaction="create", http_status=404)
    picked = administrator.post(
        reverse("admin:cds_writeback_changelist"), {"action": "again", "_selected_action": [report.pk]}
    )
    page = administrator.get(picked["Location"])
    assert "nothing is written twice" in page.content.decode()
    short = administrator.post(picked["Location"], {"why": "x"})
    assert "Say why" in short.content.decode()
    assert administrator.post(picked["Location"], {"why": "the archive is repaired"}).status_code == 302
    report.refresh_from_db()
    assert (report.status, report.delays, report.reason) == (Status.QUEUED, 0, "the archive is repaired")
    assert not KnownLimit.objects.exists()
    entry = AuditEntry.objects.get(action="send-again")
    assert (entry.detail["reason"], entry.patient_key) == ("the archive is repaired", report.assessment.patient_key)


def test_who_may_not_send_again_is_not_offered_it(report: WriteBack) -> None:
    client, user = Client(SERVER_NAME="localhost"), User.objects.create_user("looker", is_staff=True)
    client.force_login(user)
    assert client.get(f"{reverse('admin:cds_writeback_again')}?rows={report.pk}").status_code == 403


def test_a_known_limit_is_forgotten_by_deleting_it_and_that_is_audited(administrator: Client, ada: Ada) -> None:
    limit = KnownLimit.objects.create(ehr=ada.ehr, resource="Device", interaction="create", http_status=404)
    address = reverse("admin:cds_knownlimit_delete", args=[limit.pk])
    assert administrator.post(address, {"post": "yes"}).status_code == 302
    assert not KnownLimit.objects.exists()
    assert AuditEntry.objects.get(action="forget-limit").subject == "Device create"


def test_the_command_lists_what_waits_sends_it_and_tells_how_it_went(
    report: WriteBack, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("writeback", "--pending", "--list")
    assert not archive.exists()
    call_command("writeback", "--pending")
    said = capsys.readouterr().out
    assert f"{report.assessment_id}  write  archive  queued: The archive's folder cannot be written" in said
    assert f"-> {report.pk}" in said
    assert "archive  sent" in said
    assert len(list(archive.iterdir())) == 2  # the structured report and its PDF
    assert not [word for word in ("Ada", "Lindqvist") if word in said]


def test_the_command_sends_failures_again_for_a_reason_only(report: WriteBack, archive: Path) -> None:
    WriteBack.objects.update(status=Status.FAILED)
    with pytest.raises(CommandError, match="Say why"):
        call_command("writeback", "--failed", "x")
    call_command("writeback", "--failed", "the archive is repaired")
    assert len(list(archive.iterdir())) == 2  # the structured report and its PDF

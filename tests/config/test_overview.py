"""The administrator's first page: reachable, in time, still firing, and what waits."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cds import release
from cds.approval import Person
from cds.feedback import report_wrong
from cds.models import Assessment, AuditEntry, ConnectionTest, Ehr, Feedback, PopulationRun, WriteBack
from cds.switch import ask, switch_off, withdraw
from config import overview
from config.overview import Firing
from hooks.models import HookCall
from tests.cds.shelves import draft

SERVICE = "diabetes-risk"


@pytest.fixture
def real(ehr: Ehr) -> Ehr:
    """A hospital in which patients are cared for, on the other side of the world."""
    ehr.environment, ehr.time_zone = Ehr.Environment.PRODUCTION, "Asia/Shanghai"
    ehr.save()
    return ehr


def called(ehr: Ehr, *milliseconds: float, ago: timedelta = timedelta(0), **changed: Any) -> None:
    """So many calls, today there unless it is long ago."""
    for one in milliseconds:
        given = {"service_id": SERVICE, "status": 200, "received_at": timezone.now() - ago, **changed}
        HookCall.objects.create(ehr=ehr, milliseconds=one, **given)


def assessed(ehr: Ehr, name: str, **changed: Any) -> Assessment:
    given = {"service_version": "1", "threshold": 0.1, "patient_key": "k", "snapshot": b"x", **changed}
    return Assessment.objects.create(ehr=ehr, service_id=SERVICE, fingerprint=name, **given)


def row(service_id: str = SERVICE) -> Firing:
    return next(one for one in overview.firing() if one.service_id == service_id)


def count(what: str) -> int:
    return next(one.count for one in overview.waiting() if one.what.startswith(what))


def test_the_last_test_says_whether_an_ehr_is_reachable(real: Ehr) -> None:
    assert overview.reached()[0].last is None
    ConnectionTest.objects.create(ehr=real, milliseconds=9, tested_at=timezone.now() - timedelta(hours=1))
    ConnectionTest.objects.create(ehr=real, milliseconds=9, failed_step="FHIR version")
    last = overview.reached()[0].last
    assert last is not None
    assert last.failed_step == "FHIR version"


def test_half_and_95_of_100_calls_are_timed(real: Ehr) -> None:
    called(real, *range(1, 101))
    assert (row().calls, row().median, row().slow, row().late) == (100, 51, 96, False)


def test_a_slow_tail_is_late(real: Ehr) -> None:
    called(real, *[10] * 90, *[900] * 10)
    assert (row().median, row().late) == (10, True)


def test_without_a_call_there_is_nothing_to_time(real: Ehr) -> None:
    assert (row().calls, row().median, row().slow, row().late, row().stopped) == (0, None, None, False, False)


def test_yesterday_there_is_not_today(real: Ehr) -> None:
    now = real.now()
    called(real, 5, ago=now - now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(seconds=1))
    assert row().calls == 0


def test_refused_and_failed_calls_are_counted(real: Ehr) -> None:
    called(real, 5)
    called(real, 5, status=412)
    assert (row().calls, row().errors) == (2, 1)


def test_a_service_that_fell_silent_is_noticed(real: Ehr) -> None:
    for day in range(2, 9):
        called(real, *[5] * 8, ago=timedelta(days=day) - timedelta(hours=1))
    assert row().stopped
    called(real, 5)
    assert not row().stopped


def test_a_service_that_is_seldom_called_has_not_stopped(real: Ehr) -> None:
    called(real, 5, ago=timedelta(days=3))
    assert not row().stopped


def test_test_patients_stay_out(real: Ehr) -> None:
    called(real, 5, test=True)
    assert row().calls == 0


def test_a_test_ehr_shows_its_own_calls(ehr: Ehr) -> None:
    called(ehr, 5, test=True)
    assert row().calls == 1


def test_what_failed_and_what_is_to_be_reviewed_waits(real: Ehr) -> None:
    failed = assessed(real, "a", status="failed")
    assessed(real, "b", status="failed", test=True)
    assessed(real, "c", status="done")
    WriteBack.objects.create(assessment=failed, target="chart", status="failed")
    for outcome in ("overridden", "accepted"):
        Feedback.objects.create(ehr=real, service_id=SERVICE, card_uuid="u", outcome=outcome, outcome_at=timezone.now())
    waits = (
        "Failed write-backs",
        "Assessments that failed",
        "Reports",
        "Overrides",
        "Stages",
        "Model versions",
        "Drafts",
    )
    assert [count(what) for what in waits] == [1, 1, 0, 1, 0, 0, 0]


def test_a_population_run_that_an_error_has_stopped_waits(real: Ehr) -> None:
    run = PopulationRun.objects.create(ehr=real, service_id=SERVICE, service_version="1", threshold=0.1, state="paused")
    assert count("Population runs") == 0
    PopulationRun.objects.update(state=PopulationRun.State.FAILED)
    assert count("Population runs") == 1
    address = next(one.url for one in overview.waiting() if one.what.startswith("Population runs"))
    assert str(run.pk) in signed_in("clinical approver").get(address).content.decode()


def test_what_two_people_have_to_agree_on_waits_until_one_decides(real: Ehr) -> None:
    ina = Person(name="Ina", key="i")
    version = draft()
    assert count("Drafts") == 1
    wish = release.ask(version, by=ina, why="Better for the old")
    assert (count("Drafts"), count("Model versions")) == (0, 1)
    release.withdraw(wish, by=ina)
    switch_off(real, [SERVICE], by="root", actor="a", reason="Wrong units")
    step = ask(real.services.get(service_id=SERVICE), to="silent", by=ina, why="The units are mended")
    assert count("Stages") == 1
    withdraw(step, by=ina)
    assert count("Stages") == 0


def reported(ehr: Ehr, *, test: bool = False) -> Feedback:
    assessment = assessed(ehr, f"reported {test}", status="done", test=test)
    return report_wrong(assessment, actor="a clinician", reason="facts", comment="<b>Her</b> glucose was not hers.")


def test_the_links_lead_to_what_waits_and_reviewed_feedback_waits_no_more(real: Ehr) -> None:
    Feedback.objects.create(
        ehr=real, service_id=SERVICE, card_uuid="u", outcome="overridden", outcome_at=timezone.now()
    )
    client = signed_in("clinical approver")
    for one in overview.waiting():
        assert client.get(one.url).status_code == 200
    address = next(one.url for one in overview.waiting() if one.what.startswith("Overrides"))
    chosen = {"action": "mark_reviewed", "_selected_action": [str(Feedback.objects.get().pk)]}
    assert client.post(address, chosen).status_code == 302
    assert count("Overrides") == 0


# --- An answer that looks wrong -------------------------------------------------------------------------------------
def page_of(row: Feedback) -> str:
    return reverse("admin:cds_feedback_change", args=[row.pk])


def test_a_report_that_an_answer_looks_wrong_waits_until_it_is_reviewed(real: Ehr) -> None:
    row = reported(real)
    reported(real, test=True)
    assert count("Reports") == 1
    address = next(one.url for one in overview.waiting() if one.what.startswith("Reports"))
    client = signed_in("clinical approver")
    assert str(page_of(row)) in client.get(address).content.decode()
    client.post(address, {"action": "mark_reviewed", "_selected_action": [str(row.pk)]})
    assert count("Reports") == 0


def test_a_reviewer_reads_what_was_written_and_that_is_audited(real: Ehr) -> None:
    row = reported(real)
    page = signed_in("clinical approver").get(page_of(row)).content.decode()
    assert "&lt;b&gt;Her&lt;/b&gt; glucose was not hers." in page
    assert "a clinician" in page
    assert str(row.assessment_id) in page
    entry = AuditEntry.objects.get(action="read-feedback")
    assert (entry.ehr, entry.patient_key, entry.subject) == (real, "k", f"feedback {row.pk}")
    assert "glucose" not in repr(vars(entry))


def test_the_comment_of_an_override_is_read_in_the_same_way(real: Ehr) -> None:
    row = Feedback.objects.create(
        ehr=real, service_id=SERVICE, card_uuid="u", outcome="overridden", outcome_at=timezone.now(), comment=b"known"
    )
    assert "known" in signed_in("clinical approver").get(page_of(row)).content.decode()
    assert AuditEntry.objects.filter(action="read-feedback").count() == 1


@pytest.mark.parametrize("role", ["auditor", "integrator"])
def test_who_may_not_review_reads_no_comment(real: Ehr, role: str) -> None:
    page = signed_in(role).get(page_of(reported(real)))
    assert page.status_code == 200
    assert "glucose" not in page.content.decode()
    assert not AuditEntry.objects.filter(action="read-feedback").exists()


# --- The page, and who sees and may do what -------------------------------------------------------------------------
def signed_in(role: str) -> Client:
    user = User.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def test_the_first_page_says_how_things_stand_without_any_script_of_its_own(real: Ehr) -> None:
    called(real, 900)
    switch_off(real, [SERVICE], by="root", actor="a", reason="Wrong units")
    answer = signed_in("auditor").get("/admin/")
    page = answer.content.decode()
    assert "900 ms" in page
    assert "root: Wrong units" in page
    assert "Overrides to review" in page
    assert not re.search(r"<script(?![^>]*src=)|<style|style=", page)


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        ("integrator", "/admin/cds/ehr/connect/", 200),
        ("clinical approver", "/admin/cds/ehr/connect/", 403),
        ("auditor", "/admin/cds/ehr/connect/", 403),
        ("integrator", "/admin/cds/ehr/{}/switch-off/", 200),
        ("clinical approver", "/admin/cds/ehr/{}/switch-off/", 200),
        ("auditor", "/admin/cds/ehr/{}/switch-off/", 403),
        ("auditor", "/admin/cds/ehr/{}/connection/", 200),
        ("auditor", "/admin/cds/auditentry/", 200),
    ],
)
def test_each_role_opens_what_it_needs(ehr: Ehr, role: str, path: str, status: int) -> None:
    assert signed_in(role).get(path.format(ehr.pk)).status_code == status


def test_an_auditor_changes_nothing(ehr: Ehr) -> None:
    auditor = signed_in("auditor")
    for path in (f"{ehr.pk}/connection/", f"{ehr.pk}/change/", f"{ehr.pk}/switch-off/"):
        assert auditor.post(f"/admin/cds/ehr/{path}").status_code == 403


def test_somebody_without_a_role_sees_nothing_of_it(ehr: Ehr) -> None:
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    page = client.get("/admin/").content.decode()
    assert "reachable" not in page
    assert "Demo hospital" not in page

"""A save that half went through and is not to be finished: what stands there is taken back, and everybody can see it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cds.errors import BadInput
from cds.models import Assessment, AuditEntry, Ehr, EnabledService, KnownLimit, WriteBack
from cds.opt_out import opt_out
from cds.writeback import NotYours, WriteBackOff, ask, call_off, resume
from cds.writeback.hand import Hand, May, as_the_server_says
from cds.writeback.outbox import take
from cds.writeback.work import carry_out
from tests.cds.writeback.conftest import DOCTOR, Ada
from tests.cds.writeback.test_chart import WHOLE
from tests.environments import environment
from tests.strange_ehr import ALL, Fault

Aim, Status, Target = WriteBack.Aim, WriteBack.Status, WriteBack.Target
ERROR = "entered-in-error"
ROOT = Path(__file__).resolve().parents[3]
SHARED = {"Device": 1, "DocumentReference": 1}  # the algorithm and its model card are everybody's


@pytest.fixture
def half(ada: Ada) -> Assessment:
    """The observation is there, the risk assessment is not; the EHR takes no transactions."""
    ada.server.atomic, assessment = False, ada.assessed()
    ada.server.faults.append(Fault(path="RiskAssessment", status=503, times=1))
    assert ada.press(assessment).status == Status.WAITING
    assert ada.server.written() == SHARED | {"Observation": 1}
    return assessment


@pytest.fixture
def deleting(ada: Ada) -> None:
    """The EHR lets us delete."""
    ada.server.can |= dict.fromkeys(("RiskAssessment", "Observation"), (*ALL, "delete"))


def off(ada: Ada, assessment: Assessment, *, user: str = DOCTOR, may: May = as_the_server_says) -> WriteBack:
    """The row that takes it back."""
    call_off(assessment, client=ada.client, by=f"{ada.ehr.fhir_base}/{user}", may=may)
    return assessment.write_backs.get(aim=Aim.UNDO)


def chart_row(assessment: Assessment) -> WriteBack:
    return assessment.write_backs.get(aim=Aim.WRITE, target=Target.CHART)


def by_ourselves(ada: Ada, assessment: Assessment, aim: WriteBack.Aim) -> WriteBack:
    """Our own access, as the strange EHR would give it."""
    row = assessment.write_backs.select_related("assessment__ehr").get(aim=aim, target=Target.CHART)
    if take(row):
        carry_out(row, lambda: Hand(client=ada.client, caller="us"))
    row.refresh_from_db()
    return row


# --- The clinician calls it off ---------------------------------------------------------------------------------------
@pytest.mark.usefixtures("deleting")
def test_where_it_may_be_deleted_it_is_gone_and_the_row_says_what(ada: Ada, half: Assessment) -> None:
    (observation,) = ada.server.ours("Observation")
    row = off(ada, half)
    assert ada.server.written() == SHARED
    assert (row.status, row.resources, row.left) == (Status.SENT, [f"Observation/{observation['id']}"], [])
    written = chart_row(half)
    assert (written.status, written.resources, written.steps) == (Status.DECLINED, [], {})
    assert written.failure == "It was called off by who had asked for it."


@pytest.mark.usefixtures("deleting")
@pytest.mark.parametrize("status", [403, 405, 409], ids=["forbidden", "not allowed", "referred to"])
def test_what_may_not_be_deleted_is_entered_in_error(ada: Ada, half: Assessment, status: int) -> None:
    ada.server.faults.append(Fault(method="DELETE", status=status))
    row = off(ada, half)
    (observation,) = ada.server.ours("Observation")
    assert (observation["status"], row.left) == (ERROR, [f"Observation/{observation['id']}"])
    assert observation["note"][-1]["text"].startswith("Entered in error: it could not be saved as a whole")
    (deed,) = [one for one in ada.server.now("Provenance") if "activity" in one]
    assert (deed["activity"]["coding"][0]["code"], deed["agent"][0]["who"]) == ("NULLIFY", {"display": "Bedside"})


def test_where_ehr_or_scopes_do_not_speak_of_deleting_nobody_tries(ada: Ada, half: Assessment) -> None:
    row = off(ada, half)
    assert row.status == Status.SENT
    assert not [line for line in ada.server.asked if line.startswith("DELETE")]
    assert [one["status"] for one in ada.server.ours("Observation")] == [ERROR]


@pytest.mark.usefixtures("deleting")
def test_what_somebody_has_changed_since_is_marked_and_not_deleted(ada: Ada, half: Assessment) -> None:
    def comment() -> None:
        (before,) = ada.server.ours("Observation")
        ada.server.put({**before, "note": [{"text": "Seen."}]})

    ada.server.faults.append(Fault(method="DELETE", status=0, times=1, first=comment))
    off(ada, half)
    (observation,) = ada.server.ours("Observation")
    assert (observation["status"], observation["note"][0]["text"]) == (ERROR, "Seen.")


@pytest.mark.usefixtures("deleting")
def test_a_write_whose_answer_was_lost_is_found_and_taken_back_before_what_it_refers_to(ada: Ada) -> None:
    ada.server.atomic, assessment = False, ada.assessed()
    ada.server.faults.append(Fault(path="RiskAssessment", status=503, done=True, times=1))
    ada.press(assessment)
    off(ada, assessment)
    assert ada.server.written() == SHARED
    gone = [line.split("/")[0] for line in ada.server.asked if line.startswith("DELETE")]
    assert gone == ["DELETE RiskAssessment", "DELETE Observation"]


@pytest.mark.usefixtures("deleting")
def test_what_is_clean_again_may_be_saved_after_all(ada: Ada, half: Assessment) -> None:
    off(ada, half)
    assert ada.press(half).status == Status.SENT
    assert ada.server.written() == WHOLE


def test_what_stands_there_as_an_error_is_not_saved_again(ada: Ada, half: Assessment) -> None:
    off(ada, half)
    with pytest.raises(WriteBackOff, match="called off"):
        ada.press(half)


def test_until_it_is_taken_back_nothing_new_is_written(ada: Ada, half: Assessment) -> None:
    ada.server.faults.append(Fault(method="GET", path="Observation/.*", status=503))
    assert off(ada, half).status == Status.WAITING
    with pytest.raises(WriteBackOff, match="still to be taken back"):
        ada.press(half)


def test_what_has_arrived_as_a_whole_stays_when_the_rest_is_called_off(ada: Ada) -> None:
    assessment = ada.assessed()
    ada.press(assessment)
    assessment.write_backs.filter(target=Target.ARCHIVE).update(status=Status.WAITING)
    call_off(assessment, client=ada.client, by=f"{ada.ehr.fhir_base}/{DOCTOR}")
    assert not assessment.write_backs.filter(aim=Aim.UNDO).exists()
    assert (chart_row(assessment).status, ada.server.written()) == (Status.SENT, WHOLE)


def test_a_colleagues_save_and_one_that_is_over_are_not_called_off(ada: Ada, half: Assessment) -> None:
    with pytest.raises(NotYours):
        off(ada, half, user="Practitioner/dr-other")
    assert ada.press(half).status == Status.SENT
    with pytest.raises(BadInput):
        off(ada, half)


def test_what_is_just_being_sent_is_not_called_off(ada: Ada, half: Assessment) -> None:
    WriteBack.objects.update(held_until=timezone.now() + timedelta(seconds=30))
    with pytest.raises(BadInput, match="just being sent"):
        off(ada, half)


def test_it_is_audited_who_called_it_off_and_what_came_of_it(ada: Ada, half: Assessment) -> None:
    off(ada, half)
    entry = AuditEntry.objects.get(action="call-off")
    assert (entry.subject, entry.actor) == (str(half.pk), ada.ehr.pseudonym(f"{ada.ehr.fhir_base}/{DOCTOR}"))
    steps = [one.detail["step"] for one in AuditEntry.objects.all() if one.detail.get("aim") == "undo"]
    assert sorted(steps) == ["begun", "sent"]


# --- Nobody can finish it ---------------------------------------------------------------------------------------------
def no_form_is_taken(ada: Ada, assessment: Assessment) -> None:
    for kind in ("RiskAssessment", "Observation", "DocumentReference", "DiagnosticReport"):
        KnownLimit.objects.create(ehr=ada.ehr, resource=kind, interaction="create", http_status=403, issue="forbidden")


def switched_off(ada: Ada, assessment: Assessment) -> None:
    EnabledService.objects.update(write_back=EnabledService.WriteBackPolicy.OFF)


def deleted(ada: Ada, assessment: Assessment) -> None:
    ada.server.delete("Patient/ada")
    ada.server.faults.append(Fault(path="(RiskAssessment|DocumentReference|DiagnosticReport|Observation)", status=422))


def merged(ada: Ada, assessment: Assessment) -> None:
    (patient,) = (one for one in ada.server.now("Patient") if one["id"] == "ada")
    ada.server.put({**patient, "link": [{"type": "replaced-by", "other": {"reference": "Patient/b"}}]})
    ada.server.faults.append(Fault(path="(RiskAssessment|DocumentReference|DiagnosticReport|Observation)", status=422))


@pytest.mark.usefixtures("deleting")
@pytest.mark.parametrize("happens", [no_form_is_taken, switched_off, deleted, merged])
def test_what_can_never_be_finished_is_taken_back_by_itself(
    ada: Ada, half: Assessment, happens: Callable[[Ada, Assessment], None]
) -> None:
    happens(ada, half)
    WriteBack.objects.filter(target=Target.CHART).update(status=Status.QUEUED)
    row = by_ourselves(ada, half, Aim.WRITE)
    assert row.status in {Status.DECLINED, Status.FAILED}
    assert by_ourselves(ada, half, Aim.UNDO).status == Status.SENT
    assert ada.server.written() == SHARED


@pytest.mark.usefixtures("deleting")
def test_an_opt_out_calls_off_what_waits_and_takes_the_half_back(ada: Ada, half: Assessment) -> None:
    opt_out(ada.ehr, "ada", actor="an administrator")
    assert (chart_row(half).status, chart_row(half).failure) == (Status.DECLINED, "The patient has opted out.")
    assert by_ourselves(ada, half, Aim.UNDO).status == Status.SENT
    assert ada.server.written() == SHARED


def test_what_was_never_begun_leaves_nothing_to_take_back(ada: Ada) -> None:
    assessment = ada.assessed()
    no_form_is_taken(ada, assessment)
    assert ada.press(assessment).status == Status.DECLINED
    assert not WriteBack.objects.filter(aim=Aim.UNDO).exists()


# --- The taking back itself fails -------------------------------------------------------------------------------------
@pytest.mark.usefixtures("deleting")
@pytest.mark.parametrize("done", [False, True], ids=["not done", "done, and the answer lost"])
def test_it_is_tried_again_as_any_write(ada: Ada, half: Assessment, done: bool) -> None:
    Ehr.objects.update(system_client_id="bedside")  # so that it is queued again by itself
    ada.server.faults.append(Fault(method="DELETE", status=503, done=done, times=1))
    half.ehr.refresh_from_db()
    row = off(ada, half)
    assert (row.status, row.delays) == (Status.QUEUED, 1)
    assert by_ourselves(ada, half, Aim.UNDO).status == Status.SENT
    assert ada.server.written() == SHARED


def test_where_the_ehr_takes_no_change_it_is_said_that_it_stands_there(ada: Ada, half: Assessment) -> None:
    row = off(ada, half, may=lambda _kind, letter: letter not in "ud")
    assert (row.status, "There it stands unmarked" in row.failure) == (Status.DECLINED, True)


@pytest.mark.usefixtures("deleting")
def test_killed_in_between_somebody_goes_on(ada: Ada, half: Assessment) -> None:
    """Killed when the EHR has the request: it deletes it, and nobody is there to hear so."""
    command = [sys.executable, "-m", "tests.cds.writeback.calling_off", str(half.pk), f"{ada.ehr.fhir_base}/{DOCTOR}"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment())
    ada.server.faults.append(Fault(method="DELETE", status=0, times=1, first=process.kill))
    assert process.wait(120) == -signal.SIGKILL
    assert half.write_backs.get(aim=Aim.UNDO).status == Status.QUEUED
    WriteBack.objects.update(held_until=timezone.now() - timedelta(seconds=1))  # a minute later it is taken for dead
    row = by_ourselves(ada, half, Aim.UNDO)
    assert (row.status, len(row.resources)) == (Status.SENT, 1)
    assert ada.server.written() == SHARED


def test_without_access_of_our_own_it_waits_for_a_session(ada: Ada, half: Assessment) -> None:
    opt_out(ada.ehr, "ada", actor="an administrator")
    row = half.write_backs.get(aim=Aim.UNDO)
    resume(row.pk)
    row.refresh_from_db()
    assert (row.status, "only a clinician" in row.failure.lower()) == (Status.WAITING, True)


@pytest.mark.usefixtures("deleting")
def test_what_was_called_off_is_not_sent_again_in_the_clinicians_name(ada: Ada) -> None:
    assessment = ada.assessed()
    ada.server.faults.append(Fault(status=503, times=1))
    assert ada.press(assessment).status == Status.WAITING
    call_off(assessment, client=ada.client, by=f"{ada.ehr.fhir_base}/{DOCTOR}")
    assert ask.send_again([chart_row(assessment).pk], by="operator", why="all that failed") == 0
    assert chart_row(assessment).status == Status.DECLINED
    assert ada.press(assessment).status == Status.SENT  # who asked for it may want it again


# --- By an administrator ----------------------------------------------------------------------------------------------
@pytest.fixture
def integrator(db: None) -> Client:
    client, user = Client(SERVER_NAME="localhost"), User.objects.create_user("integrator", is_staff=True)
    user.groups.add(Group.objects.get(name="integrator"))
    client.force_login(user)
    return client


@pytest.mark.usefixtures("deleting")
def test_an_administrator_discards_a_dead_letter_with_a_reason(ada: Ada, half: Assessment, integrator: Client) -> None:
    WriteBack.objects.filter(target=Target.CHART).update(status=Status.FAILED)
    address = f"{reverse('admin:cds_writeback_call_off')}?rows={chart_row(half).pk}"
    assert "taken back" in integrator.get(address).content.decode()
    assert "Say why" in integrator.post(address, {"why": "x"}).content.decode()
    assert integrator.post(address, {"why": "the EHR was replaced"}).status_code == 302
    row = chart_row(half)
    assert (row.status, row.reason) == (Status.DECLINED, "the EHR was replaced")
    assert AuditEntry.objects.get(action="call-off").detail["reason"] == "the EHR was replaced"
    assert by_ourselves(ada, half, Aim.UNDO).status == Status.SENT
    assert ada.server.written() == SHARED
    assert "Nothing to call off" in integrator.get(address).content.decode()


def test_who_has_not_the_right_is_refused(half: Assessment) -> None:
    client, user = Client(SERVER_NAME="localhost"), User.objects.create_user("looker", is_staff=True)
    user.groups.add(Group.objects.get(name="auditor"))
    client.force_login(user)
    address = f"{reverse('admin:cds_writeback_call_off')}?rows={chart_row(half).pk}"
    assert client.get(address).status_code == client.post(address, {"why": "I want to"}).status_code == 403

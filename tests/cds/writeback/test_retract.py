"""What should not have been saved is taken back: the chart says so, and the answer says nothing any more."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cds.errors import BadInput
from cds.models import Assessment, AuditEntry, EnabledService, WriteBack
from cds.writeback import NotYours, WriteBackOff, resume, retract
from cds.writeback.hand import May, as_the_server_says
from cds.writeback.retract import retract_for_safety
from tests.cds.writeback.conftest import DOCTOR, Ada
from tests.cds.writeback.test_supersede import marking, results
from tests.strange_ehr import Fault

Aim, Status = WriteBack.Aim, WriteBack.Status
ERROR = "entered-in-error"


def take_back(
    ada: Ada, assessment: Assessment, *, user: str = DOCTOR, why: str = "facts", may: May = as_the_server_says
) -> WriteBack | None:
    """The row that marks it in the chart."""
    retract(assessment, client=ada.client, by=f"{ada.ehr.fhir_base}/{user}", why=why, may=may)
    return assessment.write_backs.filter(aim=Aim.RETRACT).first()


def sent(row: WriteBack | None) -> bool:
    assert row is not None
    row.refresh_from_db()
    return row.status == Status.SENT


@pytest.fixture
def saved(ada: Ada) -> Assessment:
    assessment = ada.assessed()
    assert ada.press(assessment).status == Status.SENT
    return assessment


# --- By whoever saved it ------------------------------------------------------------------------------------------
def test_what_stands_in_the_chart_is_entered_in_error_and_says_why(ada: Ada, saved: Assessment) -> None:
    before = results(ada, saved)
    assert sent(take_back(ada, saved))
    for kind, one in results(ada, saved).items():
        assert one["status"] == ERROR
        note = one["note"][-1]["text"]
        assert note.startswith("Entered in error: a value or a diagnosis that it rests on is wrong (retracted on ")
        assert {name for name in one if one[name] != before[kind].get(name)} == {"meta", "note", "status", "text"}


def test_the_provenance_says_who_nullified_which_versions(ada: Ada, saved: Assessment) -> None:
    take_back(ada, saved)
    (found,) = [one for one in ada.server.now("Provenance") if "activity" in one]
    assert found["activity"]["coding"][0]["code"] == "NULLIFY"
    assert found["agent"][0]["who"]["reference"].endswith(DOCTOR)
    assert {one["what"]["reference"] for one in found["entity"]} == {
        f"{kind}/{one['id']}/_history/1" for kind, one in results(ada, saved).items()
    }


@pytest.mark.parametrize(("refused", "kind"), [(("RiskAssessment", "Observation"), "DocumentReference")])
def test_a_document_is_entered_in_error_in_both_its_statuses(ada: Ada, refused: tuple[str, ...], kind: str) -> None:
    ada.server.can |= dict.fromkeys(refused, ("search-type",))
    assessment = ada.assessed()
    ada.press(assessment)
    take_back(ada, assessment)
    (found,) = [one for one in ada.server.ours(kind) if str(assessment.pk) in str(one["identifier"])]
    assert (found["status"], found["docStatus"]) == (ERROR, ERROR)
    cards = [one for one in ada.server.ours(kind) if one is not found]
    assert [one["status"] for one in cards] == ["current"]  # the model card is everybody's


def test_a_diagnostic_report_is_entered_in_error(ada: Ada) -> None:
    ada.server.can |= dict.fromkeys(("RiskAssessment", "Observation", "DocumentReference"), ("search-type",))
    assessment = ada.assessed()
    ada.press(assessment)
    take_back(ada, assessment)
    (found,) = ada.server.ours("DiagnosticReport")
    assert found["status"] == ERROR
    assert found["conclusion"].startswith("Entered in error: ")


def test_retracting_twice_changes_nothing_more(ada: Ada, saved: Assessment) -> None:
    take_back(ada, saved)
    before = dict(ada.server.chart)
    Assessment.objects.update(retraction="the first reason")
    saved.refresh_from_db()
    take_back(ada, saved, why="mistake")
    saved.refresh_from_db()
    assert (saved.retraction, ada.server.chart) == ("the first reason", before)
    assert AuditEntry.objects.filter(action="retract").count() == 1


def test_what_a_colleague_saved_is_not_theirs_to_retract(ada: Ada, saved: Assessment) -> None:
    with pytest.raises(NotYours):
        take_back(ada, saved, user="Practitioner/dr-other")
    saved.refresh_from_db()
    assert saved.retracted_at is None


def test_what_nobody_saved_has_nobody_who_may_retract_it(ada: Ada) -> None:
    with pytest.raises(NotYours):
        take_back(ada, ada.assessed())


def test_what_was_written_by_policy_any_clinician_may_retract(ada: Ada, saved: Assessment) -> None:
    WriteBack.objects.update(requested_by=None)
    assert sent(take_back(ada, saved, user="Practitioner/dr-other"))


def test_without_one_of_the_reasons_nothing_is_retracted(ada: Ada, saved: Assessment) -> None:
    with pytest.raises(BadInput, match="reasons"):
        take_back(ada, saved, why="because")
    assert {one["status"] for one in results(ada, saved).values()} == {"final"}


def test_it_is_audited_with_its_reason(ada: Ada, saved: Assessment) -> None:
    take_back(ada, saved, why="mistake")
    entry = AuditEntry.objects.get(action="retract")
    assert (entry.subject, entry.patient_key) == (str(saved.pk), saved.patient_key)
    assert entry.detail["reason"] == "it was saved by mistake"
    assert entry.actor == ada.ehr.pseudonym(f"{ada.ehr.fhir_base}/{DOCTOR}")


# --- It is not offered again ---------------------------------------------------------------------------------------
def test_it_cannot_be_saved_again(ada: Ada, saved: Assessment) -> None:
    take_back(ada, saved)
    again = ada.assessed()  # of the same facts: it is the same answer
    assert again == saved
    with pytest.raises(WriteBackOff, match="retracted"):
        ada.press(again)


# --- Before it was written ----------------------------------------------------------------------------------------
def test_what_waits_is_not_written(ada: Ada, archive: Path) -> None:
    assessment = ada.assessed()
    ada.server.faults.append(Fault(status=401))
    assert ada.press(assessment).status == Status.WAITING
    ada.server.faults.clear()
    assert sent(take_back(ada, assessment))
    row = assessment.write_backs.get(aim=Aim.WRITE, target="chart")
    assert (row.status, row.failure) == (Status.DECLINED, "It was retracted before it was written.")
    assert ada.server.written() == {}


def test_a_write_whose_answer_was_lost_is_found_and_marked(ada: Ada) -> None:
    assessment = ada.assessed()
    ada.server.faults.append(Fault(path="", status=503, done=True))
    assert ada.press(assessment).resources == []
    ada.server.faults.clear()
    assert sent(take_back(ada, assessment))
    assert [one["status"] for one in results(ada, assessment).values()] == [ERROR, ERROR]


def test_where_nobody_may_look_for_it_that_is_said(ada: Ada) -> None:
    assessment = ada.assessed()
    ada.server.faults.append(Fault(path="", status=503, done=True))
    ada.press(assessment)
    ada.server.faults[:] = [Fault(method="GET", path="(RiskAssessment|Observation)", status=403)]
    row = take_back(ada, assessment)
    assert row is not None
    assert (row.status, "look in the chart" in row.failure) == (Status.FAILED, True)


def test_what_is_retracted_while_it_is_being_written_is_marked_when_that_is_done(ada: Ada) -> None:
    """The clinician's second window retracts between the first one's request and its answer."""
    assessment = ada.assessed()

    def meanwhile() -> None:
        window = threading.Thread(target=take_back, args=(ada, Assessment.objects.get(pk=assessment.pk)))
        window.start()
        window.join()

    ada.server.faults.append(Fault(path="", status=0, times=1, first=meanwhile))
    ada.press(assessment)
    assert sent(assessment.write_backs.get(aim=Aim.RETRACT))
    assert [one["status"] for one in results(ada, assessment).values()] == [ERROR, ERROR]


# --- The EHR will not, or not now ------------------------------------------------------------------------------------
def test_where_the_ehr_takes_no_changes_the_person_is_told_and_it_counts_no_more_all_the_same(
    ada: Ada, saved: Assessment
) -> None:
    row = take_back(ada, saved, may=lambda _kind, letter: letter != "u")
    assert row is not None
    assert (row.status, "There it stands unmarked" in row.failure) == (Status.DECLINED, True)
    saved.refresh_from_db()
    assert saved.retracted_at is not None


@pytest.mark.parametrize("status", [409, 412])
def test_whoever_was_quicker_is_read_and_what_they_wrote_is_kept(ada: Ada, saved: Assessment, status: int) -> None:
    def comment() -> None:
        ada.server.put({**results(ada, saved)["RiskAssessment"], "note": [{"text": "Seen."}]})

    ada.server.faults.append(Fault(method="PUT", path="RiskAssessment/.*", status=status, times=1, first=comment))
    assert sent(take_back(ada, saved))
    risk = results(ada, saved)["RiskAssessment"]
    assert (risk["status"], risk["note"][0]["text"]) == (ERROR, "Seen.")


def test_after_a_lost_answer_it_goes_on_and_nothing_is_said_twice(ada: Ada, saved: Assessment) -> None:
    ada.server.faults.append(Fault(method="PUT", path="Observation/.*", status=503, done=True, times=1))
    row = take_back(ada, saved)
    assert row is not None
    assert row.status == Status.WAITING
    assert sent(take_back(ada, saved))
    assert [one["status"] for one in results(ada, saved).values()] == [ERROR, ERROR]
    assert len([one for one in ada.server.now("Provenance") if "activity" in one]) == 1
    assert len(results(ada, saved)["RiskAssessment"]["note"]) == 1


def test_it_is_retracted_even_where_saving_was_switched_off_since(ada: Ada, saved: Assessment) -> None:
    EnabledService.objects.update(write_back=EnabledService.WriteBackPolicy.OFF)
    ada.ehr.opt_outs.create(patient_key=saved.patient_key)
    assert sent(take_back(ada, saved))


# --- What it had superseded ------------------------------------------------------------------------------------------
def test_the_earlier_result_counts_again(ada: Ada, earlier: Assessment, newer: Assessment) -> None:
    ada.press(newer)
    take_back(ada, newer)
    row, risk = marking(earlier), results(ada, earlier)["RiskAssessment"]
    assert (row.status, row.successor) == (Status.SENT, None)
    assert risk["status"] == "amended"  # it was, and final it cannot become again
    texts = [note["text"] for note in risk["note"]]
    assert texts[0].startswith("Superseded by ")
    assert texts[1] == "The newer result was retracted: this one counts again."
    deeds = [one["activity"]["coding"][0]["code"] for one in ada.server.now("Provenance") if "activity" in one]
    assert sorted(deeds) == ["NULLIFY", "REACTIVATE", "UPDATE"]


def test_an_earlier_document_is_current_again(ada: Ada) -> None:
    ada.server.can |= {"RiskAssessment": (), "Observation": ("search-type",)}
    first = ada.assessed()
    ada.press(first)
    Assessment.objects.update(created_at=F("created_at") - timedelta(days=30))
    ada.measured(glucose=7.4)
    second = ada.assessed()
    ada.press(second)
    take_back(ada, second)
    (found,) = [one for one in ada.server.ours("DocumentReference") if str(first.pk) in str(one["identifier"])]
    assert found["status"] == "current"


def test_and_is_superseded_again_by_the_next(ada: Ada, earlier: Assessment, newer: Assessment) -> None:
    ada.press(newer)
    take_back(ada, newer)
    ada.measured(glucose=7.9)
    third = ada.assessed()
    ada.press(third)
    assert (marking(earlier).status, marking(earlier).successor) == (Status.SENT, third)
    assert (
        str(results(ada, third)["RiskAssessment"]["id"]) in results(ada, earlier)["RiskAssessment"]["note"][-1]["text"]
    )
    assert not newer.write_backs.filter(aim=Aim.SUPERSEDE).exists()


def test_one_in_the_middle_hands_over_to_the_newest(ada: Ada, earlier: Assessment, newer: Assessment) -> None:
    ada.press(newer)
    ada.measured(glucose=7.9)
    third = ada.assessed()
    ada.press(third)
    take_back(ada, newer)
    assert (marking(earlier).status, marking(earlier).successor) == (Status.SENT, third)
    assert {one["status"] for one in results(ada, newer).values()} == {ERROR}
    assert {one["status"] for one in results(ada, third).values()} == {"final"}


# --- By a safety officer ----------------------------------------------------------------------------------------------
@pytest.fixture
def officer(db: None) -> Client:
    client, user = Client(SERVER_NAME="localhost"), User.objects.create_user("safety", is_staff=True)
    user.groups.add(Group.objects.get(name="safety officer"))
    client.force_login(user)
    return client


def test_a_safety_officer_retracts_with_a_reason_and_a_clinicians_session_carries_it_out(
    ada: Ada, saved: Assessment, officer: Client
) -> None:
    address = reverse("admin:cds_writeback_retract", args=[saved.write_backs.get(target="chart").pk])
    page = officer.get(address).content.decode()
    assert "entered in error" in page
    assert "only a clinician" in page
    assert "Say why" in officer.post(address, {"why": "x"}).content.decode()
    assert officer.post(address, {"why": "the model was fed a wrong unit"}).status_code == 302
    row = saved.write_backs.get(aim=Aim.RETRACT)
    resume(row.pk)
    row.refresh_from_db()
    assert (row.status, row.failure) == (
        Status.WAITING,
        "Only a clinician's session may change this chart. (NeedsClinician)",
    )
    saved.refresh_from_db()
    assert sent(take_back(ada, saved, user="Practitioner/dr-other", why=""))
    assert "the model was fed a wrong unit" in results(ada, saved)["RiskAssessment"]["note"][-1]["text"]
    assert "It was retracted on" in officer.get(address).content.decode()


def test_who_has_not_the_right_is_refused(saved: Assessment) -> None:
    client, user = Client(SERVER_NAME="localhost"), User.objects.create_user("looker", is_staff=True)
    user.groups.add(Group.objects.get(name="auditor"))
    client.force_login(user)
    address = reverse("admin:cds_writeback_retract", args=[saved.write_backs.get(target="chart").pk])
    assert client.get(address).status_code == client.post(address, {"why": "I want to"}).status_code == 403
    saved.refresh_from_db()
    assert saved.retracted_at is None


def test_what_an_officer_retracts_lets_the_earlier_one_count_again_too(
    ada: Ada,
    earlier: Assessment,
    newer: Assessment,
) -> None:
    ada.press(newer)
    retract_for_safety(newer, by="an officer", why="the model was fed a wrong unit")
    take_back(ada, newer)
    assert (marking(earlier).status, marking(earlier).successor) == (Status.SENT, None)


def test_what_was_never_marked_as_superseded_needs_no_more_marking(
    ada: Ada,
    earlier: Assessment,
    newer: Assessment,
) -> None:
    ada.press(newer)
    WriteBack.objects.filter(aim=Aim.SUPERSEDE).update(status=Status.QUEUED, tries=0, due_at=timezone.now())
    take_back(ada, newer)
    assert not earlier.write_backs.filter(aim=Aim.SUPERSEDE).exists()

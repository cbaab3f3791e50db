"""A newer answer is saved: the earlier one stays in the chart, and says that it is no longer the newest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from cds.models import Assessment, AuditEntry, KnownLimit, WriteBack
from cds.writeback import resume
from tests.cds.writeback.conftest import Ada
from tests.strange_ehr import Fault

Aim, Status = WriteBack.Aim, WriteBack.Status
RESULT = "(RiskAssessment|Observation)/.*"


def marking(earlier: Assessment) -> WriteBack:
    return earlier.write_backs.get(aim=Aim.SUPERSEDE)


def results(ada: Ada, assessment: Assessment) -> dict[str, dict[str, Any]]:
    """By type."""
    both = [*ada.server.ours("RiskAssessment"), *ada.server.ours("Observation")]
    return {one["resourceType"]: one for one in both if str(assessment.pk) in one["identifier"][0]["value"]}


def test_the_earlier_result_is_amended_and_names_the_newer_one(
    ada: Ada, earlier: Assessment, newer: Assessment
) -> None:
    before = results(ada, earlier)
    ada.press(newer)
    row, after, latest = marking(earlier), results(ada, earlier), results(ada, newer)
    assert (row.status, row.successor) == (Status.SENT, newer)
    assert [one["status"] for one in after.values()] == ["amended", "amended"]
    assert [one["status"] for one in latest.values()] == ["final", "final"]
    note = after["RiskAssessment"]["note"][-1]["text"]
    assert note.startswith("Superseded by a newer result of ")
    assert f"RiskAssessment/{latest['RiskAssessment']['id']}" in note
    assert f"<p>{note}</p>" in after["RiskAssessment"]["text"]["div"]
    for kind, one in after.items():  # and nothing else of it has changed
        changed = {name for name in one if one[name] != before[kind].get(name)}
        assert changed == {"meta", "note", "status", "text"}


def test_the_provenance_says_what_was_revised_by_whom_and_because_of_what(
    ada: Ada, earlier: Assessment, newer: Assessment
) -> None:
    ada.press(newer)
    old, new = results(ada, earlier), results(ada, newer)
    (found,) = [one for one in ada.server.now("Provenance") if "activity" in one]
    assert found["activity"]["coding"][0]["code"] == "UPDATE"
    assert {one["reference"] for one in found["target"]} == {f"{kind}/{one['id']}" for kind, one in old.items()}
    entities = {(one["role"], one["what"]["reference"]) for one in found["entity"]}
    assert {("revision", f"{kind}/{one['id']}/_history/1") for kind, one in old.items()} <= entities
    assert {("source", f"{kind}/{one['id']}") for kind, one in new.items()} <= entities
    assert found["agent"][0]["who"]["reference"].startswith("Device/")


def test_what_nobody_had_confirmed_stays_preliminary_and_says_it_too(
    ada: Ada, earlier: Assessment, newer: Assessment
) -> None:
    for one in results(ada, earlier).values():
        ada.server.put({**one, "status": "preliminary"})
    ada.press(newer)
    after = results(ada, earlier)
    assert {one["status"] for one in after.values()} == {"preliminary"}
    assert all("Superseded" in one["note"][-1]["text"] for one in after.values())


def test_an_older_answer_that_is_saved_later_is_the_one_that_is_superseded(ada: Ada) -> None:
    older = ada.assessed()
    Assessment.objects.update(created_at=F("created_at") - timedelta(days=30))
    ada.measured(glucose=7.4)
    newer = ada.assessed()
    ada.press(newer)
    assert not WriteBack.objects.filter(aim=Aim.SUPERSEDE).exists()
    ada.press(older)
    assert marking(older).successor == newer
    assert results(ada, older)["RiskAssessment"]["status"] == "amended"
    assert results(ada, newer)["RiskAssessment"]["status"] == "final"


def test_a_document_is_superseded_in_its_own_words(ada: Ada) -> None:
    ada.server.can |= {"RiskAssessment": (), "Observation": ("search-type",)}
    earlier = ada.assessed()
    ada.press(earlier)
    Assessment.objects.update(created_at=F("created_at") - timedelta(days=30))
    ada.measured(glucose=7.4)
    ada.press(ada.assessed())
    found = [one for one in ada.server.ours("DocumentReference") if str(earlier.pk) in str(one["identifier"])]
    assert (found[0]["status"], found[0]["docStatus"]) == ("superseded", "amended")
    assert found[0]["description"].startswith("Superseded by a newer result of ")


# --- Somebody else was there --------------------------------------------------------------------------------------
def test_what_was_changed_by_somebody_else_meanwhile_is_read_again_and_kept(
    ada: Ada, earlier: Assessment, newer: Assessment
) -> None:
    def comment() -> None:
        risk = results(ada, earlier)["RiskAssessment"]
        ada.server.put({**risk, "note": [{"text": "Seen."}]})

    ada.server.faults.append(Fault(method="PUT", path="RiskAssessment/.*", status=0, times=1, first=comment))
    ada.press(newer)
    assert marking(earlier).status == Status.SENT
    texts = [note["text"] for note in results(ada, earlier)["RiskAssessment"]["note"]]
    assert (texts[0], texts[1][:10]) == ("Seen.", "Superseded")


@pytest.mark.parametrize(("status", "waits"), [(409, Status.WAITING), (412, Status.FAILED)])
def test_it_is_tried_once_more_and_then_said(
    ada: Ada, earlier: Assessment, newer: Assessment, status: int, waits: str
) -> None:
    ada.server.faults.append(Fault(method="PUT", path="Observation/.*", status=status))
    assert ada.press(newer).status == Status.SENT
    row = marking(earlier)
    assert (row.status, str(status) in row.failure) == (waits, True)
    tried = [line for line in ada.server.asked if line.startswith("PUT Observation")]
    assert len(tried) == 2


@pytest.mark.parametrize("status", [404, 410])
def test_what_was_deleted_meanwhile_is_fine_and_recorded(
    ada: Ada, earlier: Assessment, newer: Assessment, status: int
) -> None:
    ada.server.faults.append(Fault(method="GET", path="RiskAssessment/.*", status=status))
    ada.press(newer)
    row = marking(earlier)
    assert (row.status, row.lacking) == (Status.SENT, "the risk assessment was deleted at the EHR meanwhile")
    assert results(ada, earlier)["Observation"]["status"] == "amended"


def test_what_is_not_ours_any_more_is_left_alone(ada: Ada, earlier: Assessment, newer: Assessment) -> None:
    theirs = results(ada, earlier)["Observation"]
    ada.server.put({**theirs, "identifier": [{"system": "urn:theirs", "value": "1"}]})
    ada.press(newer)
    assert (marking(earlier).status, "not from Bedside" in marking(earlier).failure) == (Status.FAILED, True)


# --- The EHR cannot, or will not ------------------------------------------------------------------------------------
def test_where_the_ehr_takes_no_changes_that_is_said_and_not_tried(
    ada: Ada, earlier: Assessment, newer: Assessment
) -> None:
    ada.server.can |= dict.fromkeys(("RiskAssessment", "Observation"), ("create", "read", "search-type"))
    ada.forget_statement()
    assert ada.press(newer).status == Status.SENT
    row = marking(earlier)
    assert row.status == Status.DECLINED
    assert row.failure == (
        "The EHR takes changes of no risk assessment, no observation (it says itself that it takes none). There it "
        "stands unmarked. (Declined)"
    )
    assert not [line for line in ada.server.asked if line.startswith("PUT")]


def test_where_the_scopes_do_not_cover_changes_that_is_said(ada: Ada, earlier: Assessment, newer: Assessment) -> None:
    ada.press(newer, may=lambda _kind, letter: letter != "u")
    assert "permissions" in marking(earlier).failure


def test_a_refused_change_is_remembered_and_the_other_resource_is_marked_all_the_same(
    ada: Ada, earlier: Assessment, newer: Assessment
) -> None:
    ada.server.faults.append(Fault(method="PUT", path="RiskAssessment/.*", status=405))
    ada.press(newer)
    row = marking(earlier)
    assert (row.status, "no risk assessment (it answered 405)" in row.failure) == (Status.DECLINED, True)
    assert results(ada, earlier)["Observation"]["status"] == "amended"
    assert KnownLimit.objects.get().interaction == "update"


# --- Through the outbox -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("lost", ["PUT", "POST"])
def test_after_a_lost_answer_it_is_looked_at_first_and_nothing_is_said_twice(
    ada: Ada, earlier: Assessment, newer: Assessment, lost: str
) -> None:
    path = "RiskAssessment/.*" if lost == "PUT" else "Provenance"
    ada.server.faults.append(Fault(method=lost, path=path, status=503, done=True, times=1))
    assert ada.press(newer).status == Status.SENT
    assert marking(earlier).status == Status.WAITING
    ada.press(newer)
    assert marking(earlier).status == Status.SENT
    assert len(results(ada, earlier)["RiskAssessment"]["note"]) == 1
    assert len(results(ada, earlier)["Observation"]["note"]) == 2  # its own, and that it is superseded
    assert len([one for one in ada.server.now("Provenance") if "activity" in one]) == 1


def test_without_a_session_it_waits_for_the_next_press(ada: Ada, earlier: Assessment, newer: Assessment) -> None:
    ada.server.faults.append(Fault(method="GET", path=RESULT, status=503, times=1))
    ada.press(newer)
    WriteBack.objects.filter(aim=Aim.SUPERSEDE).update(status=Status.QUEUED, due_at=timezone.now())
    resume(marking(earlier).pk)
    assert marking(earlier).status == Status.WAITING
    ada.press(newer)
    assert marking(earlier).status == Status.SENT


def test_facts_that_are_no_longer_kept_do_not_keep_it_from_being_marked(
    ada: Ada, earlier: Assessment, newer: Assessment
) -> None:
    Assessment.objects.filter(pk=earlier.pk).update(snapshot=None, result=None)
    ada.press(newer)
    assert marking(earlier).status == Status.SENT


def test_pressing_twice_marks_once(ada: Ada, earlier: Assessment, newer: Assessment) -> None:
    ada.press(newer)
    versions = len(ada.server.chart[f"RiskAssessment/{results(ada, earlier)['RiskAssessment']['id']}"])
    ada.press(newer)
    ada.press(earlier)
    assert marking(earlier).tries == 1
    assert len(ada.server.chart[f"RiskAssessment/{results(ada, earlier)['RiskAssessment']['id']}"]) == versions


def test_it_is_audited_as_what_it_is(ada: Ada, earlier: Assessment, newer: Assessment) -> None:
    ada.press(newer)
    entries = AuditEntry.objects.filter(action="write-back", subject=str(earlier.pk)).order_by("pk")
    assert [one.detail["step"] for one in entries if one.detail["aim"] == Aim.SUPERSEDE] == ["begun", "sent"]

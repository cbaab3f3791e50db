"""Into charts of EHRs that cannot do everything, or will not: as much as they take, once, and the person is told."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.utils import timezone

from cds.models import KnownLimit, WriteBack
from cds.writeback.taking import FORGOTTEN_AFTER, MODEL_CARD
from tests.cds.writeback.conftest import Ada
from tests.strange_ehr import Fault

Status, Form = WriteBack.Status, WriteBack.Form
WHOLE = {"Device": 1, "DocumentReference": 1, "Observation": 1, "Provenance": 1, "RiskAssessment": 1}
LOOKING = r"(RiskAssessment|Observation|Provenance|Device|DocumentReference)"


# --- At once, or one by one ------------------------------------------------------------------------------------------
def test_an_atomic_ehr_gets_one_transaction(ada: Ada) -> None:
    row = ada.press(ada.assessed())
    assert (row.status, row.form, row.lacking) == (Status.SENT, Form.RISK_ASSESSMENT, "")
    assert ada.server.posted()[-1] == ""
    assert ada.server.written() == WHOLE


def test_an_ehr_without_transactions_gets_each_after_what_it_refers_to(ada: Ada) -> None:
    ada.server.atomic = False
    row = ada.press(ada.assessed())
    assert row.status == Status.SENT
    assert ada.server.posted()[-5:] == ["DocumentReference", "Device", "Observation", "RiskAssessment", "Provenance"]
    (risk,), (observation,), (device,) = (ada.server.ours(kind) for kind in ("RiskAssessment", "Observation", "Device"))
    assert risk["performer"]["reference"] == f"Device/{device['id']}"
    assert risk["basis"][0]["reference"] == f"Observation/{observation['id']}"
    assert f"RiskAssessment/{risk['id']}" in row.resources


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_refused_transaction_is_not_asked_for_again_until_that_is_forgotten(ada: Ada, status: int) -> None:
    ada.server.faults.append(Fault(path="", status=status))
    assert ada.press(ada.assessed()).status == Status.SENT
    assert ada.server.written() == WHOLE
    tried = len([path for path in ada.server.posted() if path == ""])
    WriteBack.objects.all().delete()
    ada.press(ada.assessed())
    assert len([path for path in ada.server.posted() if path == ""]) == tried
    KnownLimit.objects.update(learnt_at=timezone.now() - FORGOTTEN_AFTER)
    WriteBack.objects.all().delete()
    ada.press(ada.assessed())
    assert len([path for path in ada.server.posted() if path == ""]) == tried + 1


def test_a_step_that_fails_is_gone_on_from_and_not_begun_anew(ada: Ada) -> None:
    ada.server.atomic, assessment = False, ada.assessed()
    ada.server.faults.append(Fault(path="RiskAssessment", status=503, times=1))
    row = ada.press(assessment)
    assert row.status == Status.WAITING
    assert [reference.partition("/")[0] for reference in row.resources] == [
        "DocumentReference",
        "Device",
        "Observation",
    ]
    row = ada.press(assessment)
    assert row.status == Status.SENT
    assert ada.server.written() == WHOLE
    assert ada.server.posted().count("Observation") == 1


# --- As much as they take -------------------------------------------------------------------------------------------
def test_what_a_clinician_may_not_write_is_left_out_said_and_remembered_for_that_clinician(ada: Ada) -> None:
    ada.server.faults.append(Fault(path="(|RiskAssessment)", status=403, body=outcome("forbidden")))
    row = ada.press(ada.assessed())
    assert (row.status, row.form) == (Status.SENT, Form.OBSERVATION)
    assert row.lacking == "no risk assessment (it answered 403, forbidden)"
    assert ada.server.written() == {kind: 1 for kind in WHOLE if kind != "RiskAssessment"}
    (limit,) = KnownLimit.objects.all()
    assert (limit.resource, limit.http_status, limit.issue) == ("RiskAssessment", 403, "forbidden")
    asked = ada.server.posted().count("RiskAssessment")
    WriteBack.objects.all().delete()
    ada.press(ada.assessed())
    assert ada.server.posted().count("RiskAssessment") == asked
    ada.server.faults.clear()
    WriteBack.objects.all().delete()
    assert ada.press(ada.assessed(), user="Practitioner/another").form == Form.RISK_ASSESSMENT


def outcome(code: str) -> bytes:
    text = f'{{"resourceType": "OperationOutcome", "issue": [{{"severity": "error", "code": "{code}", "diagnostics": "Ada"}}]}}'
    return text.encode()


def test_what_an_ehr_says_that_it_does_not_take_is_not_sent(ada: Ada) -> None:
    ada.server.can["RiskAssessment"] = ("read", "search-type")
    row = ada.press(ada.assessed())
    assert (row.form, row.lacking) == (Form.OBSERVATION, "no risk assessment (it says itself that it takes none)")
    assert "RiskAssessment" not in ada.server.written()


def test_what_the_scopes_do_not_cover_is_not_sent(ada: Ada) -> None:
    row = ada.press(ada.assessed(), may=lambda kind, letter: kind != "RiskAssessment" or letter != "c")
    assert (row.form, row.lacking) == (
        Form.OBSERVATION,
        "no risk assessment (its permissions for Bedside do not cover it)",
    )
    assert "RiskAssessment" not in ada.server.written()


def test_without_observations_too_a_document_says_it_in_words(ada: Ada) -> None:
    ada.server.can |= {"RiskAssessment": (), "Observation": ("search-type",)}
    row = ada.press(ada.assessed())
    assert (row.status, row.form) == (Status.SENT, Form.DOCUMENT)
    assert row.lacking == "no risk assessment, no observation (it says itself that it takes none)"
    (document,) = [one for one in ada.server.ours("DocumentReference") if "subject" in one]
    text, page = (one["attachment"] for one in document["content"])
    assert "Probability of HbA1c >= 6.5 %" in base64.b64decode(text["data"]).decode()
    assert page["contentType"] == "application/pdf"
    assert base64.b64decode(page["data"]).startswith(b"%PDF-")


def test_an_ehr_that_takes_reports_alone_gets_the_conclusion(ada: Ada) -> None:
    ada.server.can |= {"RiskAssessment": (), "Observation": ("search-type",), "DocumentReference": ()}
    row = ada.press(ada.assessed())
    assert (row.status, row.form) == (Status.SENT, Form.REPORT)
    assert "HbA1c" in ada.server.ours("DiagnosticReport")[0]["conclusion"]


def test_where_nothing_is_taken_the_answer_stays_on_the_card_and_that_is_said(ada: Ada) -> None:
    nothing: dict[str, tuple[str, ...]] = dict.fromkeys(("RiskAssessment", "DocumentReference", "DiagnosticReport"), ())
    ada.server.can |= nothing | {"Observation": ("search-type",)}
    row = ada.press(ada.assessed())
    assert row.status == Status.DECLINED
    assert row.failure == (
        "The EHR takes no risk assessment, no observation, no document, no diagnostic report (it says itself that it "
        "takes none). Nothing was written; the answer stays on the card and on this page. (Declined)"
    )
    assert ada.server.written() == {}


def test_a_refused_model_card_keeps_neither_the_answer_nor_a_later_document_out(ada: Ada) -> None:
    ada.server.atomic, assessment = False, ada.assessed()
    ada.server.faults.append(Fault(path="DocumentReference", status=403, times=1))
    assert ada.press(assessment).form == Form.RISK_ASSESSMENT
    assert ada.server.written() == {kind: 1 for kind in WHOLE if kind != "DocumentReference"}
    assert KnownLimit.objects.get().resource == MODEL_CARD
    ada.server.can |= {"RiskAssessment": (), "Observation": ("search-type",)}
    caches["process"].clear()
    WriteBack.objects.all().delete()
    assert ada.press(assessment).form == Form.DOCUMENT


def test_an_ehr_that_takes_no_provenance_gets_each_record_with_its_author(ada: Ada) -> None:
    ada.server.can |= {"Provenance": (), "Device": ()}
    row = ada.press(ada.assessed())
    assert (row.status, row.lacking) == (Status.SENT, "")
    assert ada.server.ours("RiskAssessment")[0]["contained"][0]["resourceType"] == "Device"


# --- Once ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("atomic", [True, False])
def test_where_conditions_are_not_heeded_it_is_looked_for_first(ada: Ada, atomic: bool) -> None:
    ada.server.conditional, ada.server.atomic = False, atomic
    ada.press(ada.assessed())
    again = ada.assessed()
    WriteBack.objects.all().delete()
    again.save()
    assert ada.press(again).status == Status.SENT
    assert ada.server.written()["Device"] == 1


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("lost", ["", "Device", "Observation", "RiskAssessment", "Provenance"])
def test_after_a_lost_answer_the_next_press_finds_what_was_written(ada: Ada, atomic: bool, lost: str) -> None:
    ada.server.atomic, assessment = atomic, ada.assessed()
    ada.server.faults.append(Fault(path=lost, status=500, done=True, times=1))
    first = ada.press(assessment)
    assert (first.status == Status.WAITING) == (atomic is (lost == ""))
    assert ada.press(assessment).status == Status.SENT
    assert ada.server.written() == WHOLE


def test_after_a_lost_answer_nothing_doubles_though_we_may_not_look(ada: Ada) -> None:
    assessment = ada.assessed()
    ada.server.faults += [Fault(path="", done=True, times=1), Fault(method="GET", path=LOOKING, status=403)]
    assert ada.press(assessment).status == Status.WAITING
    assert ada.press(assessment).status == Status.SENT
    assert ada.server.written() == WHOLE


def test_where_neither_conditions_nor_looking_help_a_person_must_look(ada: Ada) -> None:
    ada.server.atomic, ada.server.conditional, assessment = False, False, ada.assessed()
    ada.server.can |= {"Device": ()}
    ada.server.faults += [Fault(path="Observation", done=True, times=1), Fault(method="GET", path=LOOKING, status=403)]
    assert ada.press(assessment).status == Status.WAITING
    row = ada.press(assessment)
    assert row.status == Status.FAILED
    assert "Look in the chart before it is sent again" in row.failure
    assert ada.server.written()["Observation"] == 1


def test_a_server_that_heeds_no_search_does_not_pass_off_anothers_result_as_ours(ada: Ada) -> None:
    assessment = ada.assessed()
    everything = b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "RiskAssessment", "id": "9"}}]}'
    ada.server.faults += [
        Fault(path="", status=503, times=1),
        Fault(method="GET", path="RiskAssessment", status=200, body=everything),
    ]
    assert ada.press(assessment).status == Status.WAITING
    row = ada.press(assessment)
    assert row.status == Status.SENT
    assert "RiskAssessment/9" not in row.resources
    assert ada.server.written() == WHOLE


def test_what_is_there_twice_under_our_identifier_is_not_written_a_third_time(ada: Ada) -> None:
    assessment = ada.assessed()
    ada.press(assessment)
    ada.server.put({**ada.server.ours("RiskAssessment")[0], "id": "a-copy"})
    WriteBack.objects.all().delete()
    assert ada.press(assessment).status == Status.SENT
    assert ada.server.written() == WHOLE | {"RiskAssessment": 2, "Provenance": 2}


def test_a_try_that_was_taken_for_dead_changes_nothing_any_more(ada: Ada) -> None:
    ada.server.atomic, assessment = False, ada.assessed()

    def another() -> None:
        """Somebody else takes over just before the second step."""
        WriteBack.objects.filter(target="chart").update(tries=7, held_until=timezone.now() + timedelta(minutes=1))

    ada.server.faults.append(Fault(path="Observation", status=0, times=1, first=another))
    row = ada.press(assessment)
    row.refresh_from_db()
    assert (row.tries, row.status, len(row.resources)) == (7, Status.QUEUED, 2)
    assert "RiskAssessment" not in ada.server.written()

"""What was prefetched is used, the rest is fetched over real HTTP, and what must be there is there or it is a 412."""

from __future__ import annotations

from typing import Any

import pytest

from cds.errors import BadInput
from cds.fhir.client import FhirServer
from tests.cds.gather.gathering import (
    DIABETES,
    NOW,
    PATIENT,
    Hospital,
    ask,
    bundle,
    hba1c,
    lacking,
    next_page,
)


# --- Prefetch alone
def test_a_whole_prefetch_needs_no_server() -> None:
    context = ask(hba1c=bundle(hba1c()), conditions=bundle(DIABETES))
    assert (context.patient.id, context.now) == ("123", NOW)
    assert [fact.quantity.value for fact in context.all("hba1c")] == [6.1]
    assert len(context.diagnoses) == 1
    assert (context.issues, context.unread) == ((), ())


def test_a_whole_prefetch_asks_the_server_nothing(hospital: Hospital, client: FhirServer) -> None:
    ask(client)
    assert hospital.asked == []


def test_null_means_asked_and_nothing_there() -> None:
    context = ask(conditions=None, hba1c=None, glucose=None, medications=None)
    assert (context.diagnoses, context.all("hba1c"), context.unread) == ((), (), ())


@pytest.mark.parametrize("key", ["patient", "conditions", "hba1c"])
def test_what_must_be_there_and_was_not_sent_is_a_412(key: str) -> None:
    assert lacking(lambda: ask(**{key: ...})) == (key,)


def test_a_null_patient_is_a_412() -> None:
    assert lacking(lambda: ask(patient=None)) == ("patient",)


@pytest.mark.parametrize("body", [{"resourceType": "OperationOutcome"}, "text", 5, [], {"resourceType": 5}])
def test_required_data_that_is_none_is_a_412(body: Any) -> None:
    assert lacking(lambda: ask(conditions=body)) == ("conditions",)


def test_optional_data_that_is_none_is_named_unread() -> None:
    assert ask(medications={"resourceType": "OperationOutcome"}).unread == ("medications",)
    assert ask(medications=...).unread == ("medications",)


def test_required_data_of_which_there_is_more_is_a_412() -> None:
    assert lacking(lambda: ask(hba1c=bundle(hba1c(), **next_page("https://ehr.example/fhir?page=2")))) == ("hba1c",)


def test_optional_data_of_which_there_is_more_is_said() -> None:
    context = ask(medications=bundle(**next_page("https://ehr.example/fhir?page=2")))
    assert [(issue.need, issue.reason) for issue in context.issues] == [
        ("medications", "only the first pages could be read")
    ]


def test_another_patient_is_refused() -> None:
    with pytest.raises(BadInput):
        ask(patient={**PATIENT, "id": "1234"})


def test_another_patients_results_are_said_and_not_used() -> None:
    context = ask(hba1c=bundle(hba1c(patient="9")))
    assert context.all("hba1c") == ()
    assert "another patient" in context.issues[0].reason


def test_a_string_for_a_number_is_said_and_the_rest_used() -> None:
    context = ask(hba1c=bundle(hba1c("bad", value="6.1"), hba1c("good")))
    assert [fact.source for fact in context.all("hba1c")] == ["Observation/good"]
    assert context.issues[0].source == "Observation/bad"


# --- Order, duplicates, the future
def sources(*found: dict[str, Any]) -> list[str]:
    return [fact.source for fact in ask(hba1c=bundle(*found)).all("hba1c")]


def test_measurements_come_newest_first() -> None:
    assert sources(hba1c("old", at="2020-01-01"), hba1c("new", at="2026-01-01"), hba1c("mid", at="2023-01-01")) == [
        "Observation/new",
        "Observation/mid",
        "Observation/old",
    ]


def test_a_year_is_not_newer_than_a_day_in_it() -> None:
    assert sources(hba1c("year", at="2025"), hba1c("day", at="2025-03-01"))[0] == "Observation/day"


def test_a_result_that_comes_twice_counts_once() -> None:
    assert sources(hba1c("o1"), hba1c("o1")) == ["Observation/o1"]


def test_results_without_an_id_are_not_taken_for_one_another() -> None:
    assert len(sources(hba1c(None, at="2025-01-01"), hba1c(None, at="2025-02-01"))) == 2


def test_diagnoses_without_an_id_are_not_taken_for_one_another() -> None:
    nameless = [{**DIABETES, "id": None}, {**DIABETES, "id": None, "code": {"text": "Asthma"}}]
    assert len(ask(conditions=bundle(*nameless)).diagnoses) == 2


def test_a_date_in_the_future_is_said_and_not_used() -> None:
    context = ask(hba1c=bundle(hba1c(at="2026-04-01"), hba1c("today", at="2026-03-31")))
    assert [fact.source for fact in context.all("hba1c")] == ["Observation/today"]
    assert [issue.reason for issue in context.issues] == ["dated in the future"]

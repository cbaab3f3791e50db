"""What was not prefetched is fetched: in one batch where the server can, in its own words, page by page."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from cds.codes import LOINC, UCUM
from cds.fhir.client import FhirServer
from cds.fhir.searches import Announced
from cds.gather import gather
from tests.cds.gather.gathering import (
    DIABETES,
    NOW,
    Hospital,
    Question,
    ask,
    bundle,
    fetched,
    hba1c,
    lacking,
    next_page,
    prefetch,
)


# --- Fetching
def test_everything_is_fetched_in_one_batch(hospital: Hospital, client: FhirServer) -> None:
    hospital.pages["Observation"]["hba1c"] = bundle(hba1c())
    assert len(fetched(client).all("hba1c")) == 1
    assert hospital.asked == ["POST "]


def test_only_what_was_not_prefetched_is_fetched(hospital: Hospital, client: FhirServer) -> None:
    hospital.pages["Condition"] = bundle(DIABETES)
    assert len(ask(client, conditions=...).diagnoses) == 1
    assert hospital.asked == ["GET Condition"]


def test_what_the_token_does_not_open_is_not_asked_for(hospital: Hospital, client: FhirServer) -> None:
    given = prefetch(glucose=..., medications=...)
    client.opens = lambda need: need.resource == "Observation"
    context = gather(Question(), patient_id="123", now=NOW, client=client, prefetch=given)
    assert hospital.asked == ["GET Observation"]
    assert "medications" in context.unread


def test_an_outcome_in_the_prefetch_is_fetched_again(hospital: Hospital, client: FhirServer) -> None:
    hospital.pages["Condition"] = bundle(DIABETES)
    assert len(ask(client, conditions={"resourceType": "OperationOutcome"}).diagnoses) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 501])
def test_a_refused_batch_becomes_single_reads(status: int, hospital: Hospital, client: FhirServer) -> None:
    hospital.batch_status = status
    hospital.pages["Observation"]["hba1c"] = bundle(hba1c())
    assert len(fetched(client).all("hba1c")) == 1
    assert sorted(hospital.asked[1:]) == [
        "GET Condition",
        "GET MedicationRequest",
        "GET Observation",
        "GET Observation",
        "GET Patient/123",
    ]


@pytest.mark.parametrize("batch_status", [200, 405])
def test_required_data_that_the_server_has_not_is_a_412(
    batch_status: int, hospital: Hospital, client: FhirServer
) -> None:
    hospital.batch_status = batch_status
    del hospital.pages["Condition"]
    assert lacking(lambda: fetched(client)) == ("conditions",)


@pytest.mark.parametrize("batch_status", [200, 405])
def test_optional_data_that_the_server_has_not_is_unread(
    batch_status: int, hospital: Hospital, client: FhirServer
) -> None:
    hospital.batch_status = batch_status
    del hospital.pages["MedicationRequest"]
    assert fetched(client).unread == ("medications",)


def test_a_server_that_is_down_is_a_412(hospital: Hospital, client: FhirServer) -> None:
    hospital.batch_status = 503
    assert lacking(lambda: fetched(client)) == ("patient", "conditions", "hba1c")


def test_a_page_that_is_not_json_is_a_failure_and_no_crash(hospital: Hospital, client: FhirServer) -> None:
    hospital.batch_status = 405
    hospital.pages["MedicationRequest"] = b"<html>please log in</html>"
    assert fetched(client).unread == ("medications",)


# --- What the server announces
def test_without_an_announced_batch_none_is_tried(hospital: Hospital, client: FhirServer) -> None:
    hospital.announced = Announced()
    hospital.pages["Observation"]["hba1c"] = bundle(hba1c())
    assert len(fetched(client).all("hba1c")) == 1
    assert sorted(hospital.asked) == [
        "GET Condition",
        "GET MedicationRequest",
        "GET Observation",
        "GET Observation",
        "GET Patient/123",
    ]


def types(*left_out: str) -> Announced:
    offered = {"Patient", "Condition", "Observation", "MedicationRequest"} - set(left_out)
    return Announced(types=dict.fromkeys(offered, ()))


def test_an_optional_type_that_is_not_offered_is_unread_and_not_asked_for(
    hospital: Hospital, client: FhirServer
) -> None:
    hospital.announced = types("MedicationRequest")
    assert fetched(client).unread == ("medications",)
    assert "GET MedicationRequest" not in hospital.asked


def test_a_required_type_that_is_not_offered_is_a_412_that_names_it(hospital: Hospital, client: FhirServer) -> None:
    hospital.announced = types("Condition")
    assert lacking(lambda: fetched(client)) == ("conditions",)
    assert "GET Condition" not in hospital.asked


def test_without_sort_the_newest_is_found_on_the_last_page(hospital: Hospital, client: FhirServer) -> None:
    hospital.announced = types()
    hospital.pages["Observation"]["hba1c"] = bundle(hba1c("old", at="2019-01-01"), **next_page("Observation?page=2"))
    hospital.pages["Observation?page=2"] = bundle(hba1c("new", at="2026-01-01"))
    assert [fact.source for fact in fetched(client).all("hba1c")] == ["Observation/new", "Observation/old"]
    assert not any("_sort" in query for query in hospital.queries)


def test_where_the_pages_of_an_unsorted_answer_are_cut_off_nothing_of_it_is_used(
    hospital: Hospital, client: FhirServer
) -> None:
    """The newest glucose may stand on the pages that were not read: an older one would be a wrong answer."""
    hospital.announced = types()
    hospital.pages["Observation"]["glucose"] = bundle(hba1c(), **next_page("Observation?page=404"))
    assert fetched(client).unread == ("glucose",)


def test_of_a_sorted_answer_the_first_pages_are_used_and_that_is_said(hospital: Hospital, client: FhirServer) -> None:
    hospital.announced = Announced(types=dict.fromkeys(types().types, ("_sort", "category", "code")))
    hospital.pages["Observation"]["glucose"] = bundle(glucose("2026-01-01"), **next_page("Observation?page=404"))
    context = fetched(client)
    assert len(context.all("glucose")) == 1
    assert context.issues[0].reason == "only the first pages could be read"


def test_a_server_that_ignores_sort_is_noticed(hospital: Hospital, client: FhirServer) -> None:
    hospital.announced = Announced(types=dict.fromkeys(types().types, ("_sort", "category", "code")))
    upside_down = bundle(glucose("2019-01-01"), glucose("2020-01-01"), **next_page("Observation?page=404"))
    hospital.pages["Observation"]["glucose"] = upside_down
    assert fetched(client).unread == ("glucose",)


def glucose(at: str) -> dict[str, Any]:
    code = {"coding": [{"system": LOINC, "code": "2345-7"}]}
    quantity = {"value": 101, "unit": "mg/dL", "system": UCUM, "code": "mg/dL"}
    return {**hba1c(at, at=at), "code": code, "valueQuantity": quantity}


# --- Further pages
def test_all_pages_are_read(hospital: Hospital, client: FhirServer) -> None:
    first, second, third = (f"{hospital.base}/Observation?page={number}" for number in (1, 2, 3))
    hospital.pages["Observation"]["hba1c"] = bundle(hba1c("p0"), **next_page(first))
    hospital.pages["Observation?page=1"] = bundle(hba1c("p1"), **next_page(second))
    hospital.pages["Observation?page=2"] = bundle(hba1c("p1"), **next_page(third))  # pages overlap while charts grow
    hospital.pages["Observation?page=3"] = bundle(hba1c("p3"))
    assert {fact.source for fact in fetched(client).all("hba1c")} == {f"Observation/p{n}" for n in (0, 1, 3)}


def test_further_pages_of_a_prefetch_are_fetched(hospital: Hospital, client: FhirServer) -> None:
    hospital.pages["Observation?page=2"] = bundle(hba1c("p2"))
    context = ask(client, hba1c=bundle(hba1c("p1"), **next_page("Observation?page=2")))
    assert len(context.all("hba1c")) == 2


def test_a_link_to_another_origin_is_not_followed(hospital: Hospital, client: FhirServer) -> None:
    elsewhere = next_page(hospital.base.replace("127.0.0.1", "localhost") + "/Observation?page=2")
    hospital.pages["Observation?page=2"] = bundle(hba1c("stolen"))
    assert lacking(lambda: ask(client, hba1c=bundle(hba1c("p1"), **elsewhere))) == ("hba1c",)
    assert hospital.asked == []


@pytest.mark.parametrize("climb", ["..", "%2e%2e", "Patient/../.."])
def test_a_link_out_of_the_fhir_base_is_not_followed(climb: str, hospital: Hospital, client: FhirServer) -> None:
    elsewhere = next_page(f"{hospital.base}/{climb}/admin?page=2")
    assert lacking(lambda: ask(client, hba1c=bundle(**elsewhere))) == ("hba1c",)
    assert hospital.asked == []


def test_a_page_that_fails_makes_the_rest_unusable(hospital: Hospital, client: FhirServer) -> None:
    broken = next_page(f"{hospital.base}/Observation?page=404")
    assert lacking(lambda: ask(client, hba1c=bundle(hba1c("p1"), **broken))) == ("hba1c",)


def test_pages_without_end_are_cut_off(hospital: Hospital, client: FhirServer, settings: Settings) -> None:
    settings.FHIR_MAX_PAGES = 4
    round_and_round = f"{hospital.base}/Observation?page=1"
    hospital.pages["Observation?page=1"] = bundle(hba1c("p1"), **next_page(round_and_round))
    assert lacking(lambda: ask(client, hba1c=bundle(**next_page(round_and_round)))) == ("hba1c",)
    assert len(hospital.asked) == 3

"""What was prefetched is used, the rest is fetched over real HTTP, and what must be there is there or it is a 412."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from zoneinfo import ZoneInfo

import msgspec
import pytest
import requests
from pytest_django import Settings

from cds import analytes
from cds.codes import ICD10CM, LOINC, UCUM
from cds.context import PatientContext
from cds.errors import BadInput, MissingData
from cds.fhir.client import FhirServer
from cds.fhir.searches import Announced, Searches
from cds.gather import gather
from cds.http import bounded
from cds.needs import Need
from cds.service import DecisionService

NOW = datetime(2026, 3, 31, 16, 30, tzinfo=ZoneInfo("Pacific/Auckland"))


class Question(DecisionService):
    """Asks for little, so that a test can hold all of it."""

    id = "question"
    needs = (
        Need.patient(),
        Need.resources("conditions", "Condition", required=True),
        Need.observations("hba1c", analytes.HBA1C, category="laboratory", required=True),
        Need.observations("glucose", analytes.GLUCOSE, category="laboratory"),
        Need.resources("medications", "MedicationRequest"),
    )


# --- A hospital over HTTP
class Hospital:
    """A FHIR server on the loopback: answers by path, and remembers what it was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {}
        self.batch_status = 200
        self.asked: list[str] = []
        self.queries: list[str] = []
        self.announced = Announced(batch=True)
        self.base = ""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path = environ["PATH_INFO"].removeprefix("/fhir").strip("/")
        query = environ["QUERY_STRING"]
        self.asked.append(f"{environ['REQUEST_METHOD']} {path}")
        self.queries.append(query)
        if environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            answer: Any = self.batch(body) if self.batch_status == 200 else {}
            status = self.batch_status
        else:
            status, answer = self.get(f"{path}?{query}" if query else path)
        start_response(f"{status} Said", [("Content-Type", "application/fhir+json")])
        return [answer if isinstance(answer, bytes) else msgspec.json.encode(answer)]

    def get(self, url: str) -> tuple[int, Any]:
        found = self.pages.get(url.partition("?")[0] if "page=" not in url else url)
        if isinstance(found, dict) and "Observation" in url and "page=" not in url:
            found = found.get("hba1c" if "4548-4" in url else "glucose")
        return (404, {"resourceType": "OperationOutcome"}) if found is None else (200, found)

    def batch(self, body: bytes) -> dict[str, Any]:
        entries = []
        for entry in msgspec.json.decode(body)["entry"]:
            status, answer = self.get(entry["request"]["url"])
            entries.append({"response": {"status": f"{status} Said"}, "resource": answer})
        return {"resourceType": "Bundle", "type": "batch-response", "entry": entries}


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the name is the base class's
        """A test's output is its own."""


@pytest.fixture
def hospital() -> Iterator[Hospital]:
    app = Hospital()
    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    app.base = f"http://127.0.0.1:{server.server_port}/fhir"
    app.pages = {
        "Patient/123": PATIENT,
        "Condition": bundle(),
        "MedicationRequest": bundle(),
        "Observation": {"hba1c": bundle(), "glucose": bundle()},
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield app
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(hospital: Hospital) -> Iterator[FhirServer]:
    with requests.Session() as session:
        limited = bounded(session, origins=(hospital.base,), private_network=True)
        yield FhirServer(hospital.base, session=limited, searches=lambda: Searches(announced=hospital.announced))


# --- Resources
PATIENT = {"resourceType": "Patient", "id": "123", "gender": "female", "birthDate": "1974-01-15"}
DIABETES = {
    "resourceType": "Condition",
    "id": "c1",
    "subject": {"reference": "Patient/123"},
    "code": {"coding": [{"system": ICD10CM, "code": "E11.9"}]},
}


def bundle(*resources: Any, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": item} for item in resources], **more}


def hba1c(name: str | None = "o1", *, at: str = "2025-03-01", value: Any = 6.1, patient: str = "123") -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "4548-4"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": at,
        "valueQuantity": {"value": value, "unit": "%", "system": UCUM, "code": "%"},
    }


def next_page(url: str) -> dict[str, Any]:
    return {"link": [{"relation": "next", "url": url}]}


def prefetch(**given: Any) -> dict[str, msgspec.Raw]:
    whole: dict[str, Any] = {"patient": PATIENT, "conditions": bundle(), "hba1c": bundle(), "glucose": None} | given
    whole.setdefault("medications", None)
    return {key: msgspec.Raw(msgspec.json.encode(value)) for key, value in whole.items() if value is not ...}


def ask(client: Any = None, **given: Any) -> PatientContext:
    return gather(Question(), patient_id="123", now=NOW, client=client, prefetch=prefetch(**given))


def fetched(client: FhirServer) -> PatientContext:
    return gather(Question(), patient_id="123", now=NOW, client=client)


def lacking(call: Callable[[], Any]) -> tuple[str, ...]:
    with pytest.raises(MissingData) as missing:
        call()
    assert missing.value.status == 412
    return missing.value.keys


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

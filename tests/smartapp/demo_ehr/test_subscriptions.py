"""The demo hospital tells the app of new results, as it was asked to."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django import Settings

from smartapp.demo_ehr.store import chart_store
from smartapp.demo_ehr.subscriptions import BACKPORT, TOPIC
from tests.cds.notified.notices import measured
from tests.serving import Silent, serving
from tests.smartapp.demo_ehr.conftest import Fhir

SECONDS = 20


class EndPoint(ThreadingHTTPServer):
    """Plays the app; answers with `statuses` in turn, then with 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.got: queue.Queue[tuple[str, str, Any, str]] = queue.Queue()

    def next(self) -> tuple[str, str, Any, str]:
        """Method, path, body and Authorization of the next notification."""
        return self.got.get(timeout=SECONDS)


class Handler(Silent):
    server: EndPoint

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        body = json.loads(content) if content else None
        self.server.got.put((self.command, self.path, body, self.headers["Authorization"]))

    def do_PUT(self) -> None:
        self.do_POST()


@pytest.fixture
def end_point(settings: Settings) -> Iterator[EndPoint]:
    with serving(EndPoint()) as server:
        settings.BASE_URL = f"http://127.0.0.1:{server.server_port}"
        yield server
        chart_store().reset()


def asked(
    end_point: EndPoint, *, topic: bool = True, version: str = "4.0", content: str = "id-only", **more: Any
) -> Any:
    channel = {
        "type": "rest-hook",
        "endpoint": f"http://127.0.0.1:{end_point.server_port}/here",
        "header": ["Authorization: Bearer secret"],
        **more,
    }
    found = {"resourceType": "Subscription", "status": "requested", "reason": "new results"}
    criteria = "Observation?code=http://loinc.org|4548-4"
    if not topic:
        return {**found, "criteria": criteria, "channel": channel}
    channel["payload"] = f"application/fhir+json; fhirVersion={version}"
    channel["_payload"] = {"extension": [{"url": f"{BACKPORT}/backport-payload-content", "valueCode": content}]}
    chosen = {"url": f"{BACKPORT}/backport-filter-criteria", "valueString": criteria}
    return {**found, "criteria": TOPIC, "_criteria": {"extension": [chosen]}, "channel": channel}


def first(bundle: Any) -> Any:
    return bundle["entry"][0]["resource"]


def made(clinician: Fhir, subscription: Any) -> str:
    answer = clinician.post("Subscription", subscription)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


@pytest.mark.parametrize(
    ("version", "kind"), [("4.0", "history"), ("4.3", "history"), ("5.0", "subscription-notification")]
)
def test_a_handshake_then_each_new_result_in_the_version_asked_for(
    clinician: Fhir, end_point: EndPoint, version: str, kind: str
) -> None:
    made(clinician, asked(end_point, version=version))
    method, path, handshake, secret = end_point.next()
    assert (method, path, secret) == ("POST", "/here", "Bearer secret")
    assert handshake["type"] == kind
    measured("ada", code="718-7")  # not asked for
    place = f"Observation/{measured('ada')['id']}"
    told = end_point.next()[2]
    assert first(told)["resourceType"] == ("Parameters" if version == "4.0" else "SubscriptionStatus")
    assert place in json.dumps(first(told))
    assert "resource" not in told["entry"][1]
    assert ("request" in told["entry"][0]) == (version != "5.0")


@pytest.mark.parametrize(("content", "entries"), [("empty", 1), ("id-only", 2), ("full-resource", 2)])
def test_a_payload_holds_what_was_asked_for(clinician: Fhir, end_point: EndPoint, content: str, entries: int) -> None:
    made(clinician, asked(end_point, version="5.0", content=content))
    end_point.next()
    measured("ada")
    told = end_point.next()[2]
    assert len(told["entry"]) == entries
    assert ("focus" in json.dumps(first(told))) == (content != "empty")
    assert ("valueQuantity" in json.dumps(told)) == (content == "full-resource")


def test_r4_knocks_without_a_word(clinician: Fhir, end_point: EndPoint) -> None:
    subscription_id = made(clinician, asked(end_point, topic=False))
    wait_until(clinician, subscription_id, "active")
    measured("ada")
    assert end_point.next()[:3] == ("POST", "/here", None)


def test_r4_with_a_payload_puts_the_resource(clinician: Fhir, end_point: EndPoint) -> None:
    subscription_id = made(clinician, asked(end_point, topic=False, payload="application/fhir+json"))
    wait_until(clinician, subscription_id, "active")
    result = measured("ada")
    method, path, body, _ = end_point.next()
    assert (method, path, body["id"]) == ("PUT", f"/here/Observation/{result['id']}", result["id"])


def test_what_was_not_taken_is_told_again(clinician: Fhir, end_point: EndPoint) -> None:
    made(clinician, asked(end_point, version="5.0"))
    end_point.next()
    end_point.statuses = [503]
    measured("ada")
    once, again = end_point.next()[2], end_point.next()[2]
    assert first(once)["notificationEvent"] == first(again)["notificationEvent"]


def test_a_refused_handshake_is_an_error_until_the_app_asks_again(clinician: Fhir, end_point: EndPoint) -> None:
    end_point.statuses = [404]
    subscription_id = made(clinician, asked(end_point))
    end_point.next()
    there = wait_until(clinician, subscription_id, "error")
    assert clinician.send("PUT", f"Subscription/{subscription_id}", {**there, "status": "requested"}).status_code == 200
    end_point.next()
    wait_until(clinician, subscription_id, "active")


def test_events_are_told_again_on_demand_both_ends_inclusive(clinician: Fhir, end_point: EndPoint) -> None:
    subscription_id = made(clinician, asked(end_point, version="5.0"))
    end_point.next()
    wait_until(clinician, subscription_id, "active")
    for _ in range(4):
        measured("ada")
    told = 0
    while told < 4:
        told += len(first(end_point.next()[2])["notificationEvent"])
    found = clinician.get(
        f"Subscription/{subscription_id}/$events", eventsSinceNumber="2", eventsUntilNumber="3", content="empty"
    ).json()
    assert first(found)["type"] == "query-event"
    assert [event["eventNumber"] for event in first(found)["notificationEvent"]] == ["2", "3"]
    status = clinician.get(f"Subscription/{subscription_id}/$status").json()
    assert (status["type"], first(status)["eventsSinceSubscriptionStart"]) == ("searchset", "4")


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"criteria": "https://else.example/topic"}, 422),
        ({"status": "active"}, 422),
        ({"channel": {"type": "rest-hook", "endpoint": "https://else.example/here"}}, 422),
        ({"channel": {"type": "websocket"}}, 422),
        ({"criteria": "Observation?nonsense=1"}, 400),
        ({"criteria": "Patient?_id=1"}, 422),
    ],
)
def test_what_is_not_offered_is_refused(clinician: Fhir, end_point: EndPoint, changed: Any, status: int) -> None:
    assert clinician.post("Subscription", asked(end_point) | changed).status_code == status


def wait_until(clinician: Fhir, subscription_id: str, status: str) -> Any:
    """The chart's journal wakes us when it is written to."""
    store = chart_store()
    position = store.position
    for _ in range(SECONDS):
        there = store.read("Subscription", subscription_id)
        if there["status"] == status:
            return there
        _, position = store.written_since(position, wait=1)
    raise AssertionError(f"it never became {status}")

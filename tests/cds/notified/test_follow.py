"""From a notification to the patients, with our own access to the demo hospital."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone
from pytest_django import Settings

from cds.models import Ehr, Rescoring, Subscription
from cds.notified import due_subscriptions, follow
from smartapp.demo_ehr.courier import courier
from smartapp.demo_ehr.notices import Event
from smartapp.demo_ehr.store import chart_store
from smartapp.demo_ehr.subscriptions import BACKPORT, TOPIC
from tests.cds.notified.conftest import Listener
from tests.cds.notified.notices import STYLES, measured, notice
from tests.serving import serving
from tests.smartapp.stranger import Hospital


@pytest.fixture
def listener(hospital: Ehr) -> Listener:
    """Connected over the network."""
    found = Listener(hospital)
    found.hears(notice(kind="handshake"))
    return found


def owed() -> list[str]:
    return sorted(bytes(row.patient_id or b"").decode() for row in Rescoring.objects.exclude(patient_id=None))


def long_ago(listener: Listener, **fields: timedelta) -> None:
    now = timezone.now()
    Subscription.objects.filter(pk=listener.pk).update(**{name: now - age for name, age in fields.items()})


@pytest.mark.parametrize("style", STYLES)
def test_an_id_alone_is_looked_up(listener: Listener, style: str) -> None:
    place = f"Observation/{measured('ada')['id']}"
    listener.hears(notice((1, place), style=style))
    assert due_subscriptions() == [listener.pk]
    follow(listener.pk)
    assert owed() == ["ada"]
    row = listener.row
    assert (row.last_event, row.due_at, row.held_until) == (1, None, None)
    assert not row.events.exists()


def test_what_nobody_asks_about_is_looked_at_and_left(listener: Listener) -> None:
    listener.hears(notice((1, f"Observation/{measured('ada', code='718-7')['id']}")))
    follow(listener.pk)
    assert owed() == []


@pytest.mark.parametrize("focus", ["Observation/not-there", "Nonsense/1"])
def test_what_cannot_be_read_is_passed_over_and_the_rest_goes_on(listener: Listener, focus: str) -> None:
    listener.hears(notice((1, focus), (2, f"Observation/{measured('bruno')['id']}")))
    follow(listener.pk)
    assert owed() == ["bruno"]
    assert listener.row.due_at is None


def test_a_patient_may_be_the_focus(listener: Listener) -> None:
    listener.hears(notice((1, "Patient/chen")))
    follow(listener.pk)
    assert owed() == ["chen"]


def test_an_empty_notification_leads_to_a_search_for_what_is_new(listener: Listener) -> None:
    measured("ada")
    measured("bruno", code="14771-0", value=7.2, unit="mmol/L")
    measured("chen", code="718-7")
    long_ago(listener, searched_until=timedelta(seconds=-110))  # within the overlap: only what is new since
    listener.hears(b"")
    follow(listener.pk)
    assert owed()[:2] == ["ada", "bruno"]
    assert "chen" not in owed()
    assert not listener.row.search_due


def test_an_event_that_never_came_is_searched_for(listener: Listener) -> None:
    measured("farah")
    listener.hears(notice((2, "")))
    long_ago(listener, gap_at=timedelta(seconds=61))
    Subscription.objects.filter(pk=listener.pk).update(search_due=False)
    follow(listener.pk)
    assert "farah" in owed()
    assert (listener.row.last_event, listener.row.gap_at) == (2, None)


def test_what_is_missing_is_asked_for_by_its_number(listener: Listener) -> None:
    """$events of the demo hospital, which knows of one that we have not heard of."""
    result = measured("dara")
    made: dict[str, Any] = {
        "resourceType": "Subscription",
        "status": "off",
        "criteria": TOPIC,
        "reason": "x",
        "channel": {"type": "rest-hook", "endpoint": listener.values.endpoint, "payload": "application/fhir+json"},
    }
    made["channel"]["_payload"] = {
        "extension": [{"url": f"{BACKPORT}/backport-payload-content", "valueCode": "id-only"}]
    }
    there = chart_store().create(made, author="hospital")
    courier().line(there).events.append(Event(number=1, at="2026-10-01T10:00:00Z", resource=result))
    Subscription.objects.update(remote_id=there["id"])
    listener.hears(notice(kind="heartbeat", count=1, subscription=there["id"]))
    long_ago(listener, gap_at=timedelta(seconds=61))
    follow(listener.pk)
    row = listener.row
    assert (row.last_event, row.gap_at, row.search_due) == (1, None, False)
    follow(listener.pk)
    assert owed() == ["dara"]


def test_an_event_that_may_still_come_is_waited_for(listener: Listener) -> None:
    listener.hears(notice((2, "Observation/not-there")))
    follow(listener.pk)
    row = listener.row
    assert row.last_event == 0
    assert row.due_at is not None
    assert row.due_at > timezone.now()


def test_one_worker_at_a_time_follows_up(listener: Listener) -> None:
    listener.hears(b"")
    assert due_subscriptions() == [listener.pk]
    assert due_subscriptions() == []
    long_ago(listener, held_until=timedelta(seconds=1))  # as if that worker had been killed
    assert due_subscriptions() == [listener.pk]


class Busy(Hospital):
    """Of more than six days it has more results than one page; no result can be read by itself; `headers`: not now."""

    def __init__(self) -> None:
        super().__init__()
        self.bounds: list[tuple[datetime, ...]] = []
        self.answers = 1000

    def answer_to(self, path: str) -> tuple[int, bytes]:
        if path.startswith("/fhir/Observation/"):
            return 422, b"{}"
        if not path.startswith("/fhir/Observation?"):
            return super().answer_to(path)
        if self.headers or len(self.bounds) == self.answers:
            return 429, b"{}"
        asked = parse_qs(urlsplit(path).query)["_lastUpdated"]
        self.bounds.append(tuple(datetime.fromisoformat(one[2:]) for one in asked))
        since, until = (*self.bounds[-1], timezone.now())[:2]
        more = [{"relation": "next", "url": f"{self.url}{path}"}] if until - since > timedelta(days=6) else []
        result = {"resourceType": "Observation", "id": "a", "subject": {"reference": f"Patient/p{len(self.bounds)}"}}
        return 200, json.dumps({"resourceType": "Bundle", "entry": [{"resource": result}], "link": more}).encode()


H = TypeVar("H", bound=Hospital)


@contextmanager
def told_by(server: H) -> Iterator[H]:
    """It takes the demo hospital's place."""
    server.pages["/token"] = (200, {"access_token": "a", "token_type": "bearer", "expires_in": 300})
    with serving(server):
        Ehr.objects.update(fhir_base=f"{server.url}/fhir", fhir_version="4.0")
        yield server


def test_more_results_than_are_read_in_one_go_are_read_in_two(ehr: Ehr, settings: Settings) -> None:
    settings.FHIR_MAX_PAGES = 1
    listener = Listener(ehr)
    with told_by(Busy()) as server:
        listener.hears(b"")
        long_ago(listener, searched_until=timedelta(days=10))
        follow(listener.pk)
    whole, first, second = server.bounds
    assert first[0] == whole[0] < first[1] == second[0]
    assert owed() == ["p1", "p2", "p3"]
    assert not listener.row.search_due
    assert listener.row.searched_until > timezone.now() - timedelta(minutes=1)


def test_the_half_that_was_read_is_not_read_again(ehr: Ehr, settings: Settings) -> None:
    settings.FHIR_MAX_PAGES = 1
    listener = Listener(ehr)
    with told_by(Busy()) as server:
        server.answers = 2
        listener.hears(b"")
        long_ago(listener, searched_until=timedelta(days=10))
        follow(listener.pk)
    assert listener.row.search_due
    assert listener.row.searched_until.replace(microsecond=0) == server.bounds[1][1]


def test_an_event_that_can_never_be_read_keeps_nobody_waiting_and_is_searched_for(ehr: Ehr) -> None:
    listener = Listener(ehr)
    with told_by(Busy()) as server:
        listener.hears(notice(kind="handshake"))
        listener.hears(notice((1, "Observation/broken"), (2, "Patient/bruno")))
        follow(listener.pk)
    assert "bruno" in owed()
    assert server.bounds
    assert not listener.row.events.exists()
    assert listener.row.due_at is None


def test_an_ehr_that_asks_to_be_left_alone_is(ehr: Ehr) -> None:
    listener = Listener(ehr)
    with told_by(Busy()) as server:
        server.headers["Retry-After"] = "3600"
        listener.hears(b"")
        follow(listener.pk)
    assert listener.row.due_at is not None
    assert listener.row.due_at > timezone.now() + timedelta(minutes=55)


class Telling(Hospital):
    """Something new comes up there just while it is searched."""

    meanwhile: Callable[[], object]

    def answer_to(self, path: str) -> tuple[int, bytes]:
        if not path.startswith("/fhir/Observation"):
            return super().answer_to(path)
        self.meanwhile()
        return 200, b'{"resourceType": "Bundle"}'


@pytest.mark.django_db(transaction=True)  # the server's thread looks at the tables itself
@pytest.mark.parametrize("news", [b"", notice((1, "Observation/another"))], ids=["a ping", "an event"])
def test_what_comes_meanwhile_is_followed_up_as_well(ehr: Ehr, news: bytes) -> None:
    listener = Listener(ehr)
    with told_by(Telling()) as server:
        server.meanwhile = lambda: listener.hears(news)
        listener.hears(b"")
        follow(listener.pk)
    row = listener.row
    assert row.due_at is not None
    assert row.due_at <= timezone.now()
    assert row.search_due or row.events.filter(followed=False).exists()


def test_an_ehr_that_does_not_answer_is_asked_again_later(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    listener.hears(notice((1, "Observation/a1c")))
    Ehr.objects.update(fhir_base="http://127.0.0.1:9/fhir")
    with caplog.at_level(logging.WARNING):
        follow(listener.pk)
    row = listener.row
    assert row.events.filter(followed=False).count() == 1
    assert row.due_at is not None
    assert row.due_at > timezone.now()
    assert row.reason.startswith("What was told of could not be looked at")
    assert "a1c" not in caplog.text

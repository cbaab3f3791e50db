"""Tells the registered app what its Subscriptions asked for: a thread that follows the chart, delivers and tries again."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import requests

from smartapp.demo_ehr import addresses
from smartapp.demo_ehr.notices import Event, bundle
from smartapp.demo_ehr.outcomes import FhirError, Resource
from smartapp.demo_ehr.store import chart_store
from smartapp.demo_ehr.subscriptions import Asked, asked_by

logger = logging.getLogger(__name__)

LOOKS_EVERY_SECONDS = 0.5  # at what is to be tried again; what is new is told of at once
ANSWERED_WITHIN_SECONDS = 5
MOST_TRIES = 8  # then the subscription is in error, and the app must ask again
JSON = "application/fhir+json"


@dataclass
class Line:
    """How far one subscription is: its events, of which the first `told` were taken."""

    events: list[Event] = field(default_factory=list)
    told: int = 0
    tries: int = 0
    next_try: float = 0.0
    last_sent: float = field(default_factory=time.monotonic)


class Courier:
    """Started with the first Subscription; everything in memory, as the chart is."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self.lines: dict[str, Line] = {}

    def start(self) -> None:
        """Again changes nothing."""
        with self._starting:
            if self._thread is None:
                position = chart_store().position
                self._thread = threading.Thread(target=self._follow, args=(position,), name="courier", daemon=True)
                self._thread.start()

    def _follow(self, position: int) -> None:
        while True:
            written, position = chart_store().written_since(position, wait=LOOKS_EVERY_SECONDS)
            for resource in written:
                self._note(resource)
            for subscription in offered():
                with suppress(FhirError):  # it was deleted or changed meanwhile
                    self._deliver(subscription)

    def _note(self, resource: Resource) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        for subscription in offered():
            if subscription["status"] == "active" and asked_by(subscription).wants(resource):
                line = self.line(subscription)
                line.events.append(Event(number=len(line.events) + 1, at=at, resource=resource))

    def told_of(self, resource: Resource) -> bool | None:
        """Was it taken, or is it still on its way? None where nobody asked for it."""
        if not any(asked_by(one).wants(resource) for one in offered() if one["status"] == "active"):
            return None
        told = [one for line in self.lines.values() for one in line.events[: line.told]]
        return any(one.resource["id"] == resource["id"] for one in told)

    def line(self, subscription: Resource) -> Line:
        return self.lines.setdefault(subscription["id"], Line())

    def _deliver(self, subscription: Resource) -> None:
        line, asked = self.line(subscription), asked_by(subscription)
        if time.monotonic() < line.next_try:
            return
        if subscription["status"] == "requested":
            taken = asked.content is None or post(
                asked, bundle("handshake", subscription, asked, count=len(line.events))
            )
            become(subscription, "active" if taken else "error")
        elif subscription["status"] == "active" and line.told < len(line.events):
            self._tell(subscription, asked, line)
        elif subscription["status"] == "active" and due_to_beat(asked, line):
            line.last_sent = time.monotonic()
            post(asked, bundle("heartbeat", subscription, asked, count=len(line.events)))

    def _tell(self, subscription: Resource, asked: Asked, line: Line) -> None:
        waiting = line.events[line.told :]
        if send(subscription, asked, waiting, count=len(line.events)):
            line.told, line.tries, line.last_sent = line.told + len(waiting), 0, time.monotonic()
            return
        line.tries += 1
        line.next_try = time.monotonic() + 2.0**line.tries / 4
        if line.tries >= MOST_TRIES:
            line.tries, line.told = 0, len(line.events)  # who asks again has to search for them
            become(subscription, "error")


def offered() -> list[Resource]:
    """Those to the app as it is registered now."""
    found = chart_store().all("Subscription")
    return [one for one in found if one["channel"]["endpoint"].startswith(addresses.app("/"))]


def due_to_beat(asked: Asked, line: Line) -> bool:
    return bool(asked.heartbeat) and time.monotonic() - line.last_sent >= asked.heartbeat


def become(subscription: Resource, status: str) -> None:
    chart_store().update({**subscription, "status": status}, author="hospital")


def send(subscription: Resource, asked: Asked, events: Sequence[Event], *, count: int) -> bool:
    """A topic's events in one Bundle; in R4's own style each resource, or nothing but a knock."""
    if asked.content is not None:
        return post(asked, bundle("event-notification", subscription, asked, count=count, events=events))
    if not asked.payload:
        return post(asked, None)
    return all(post(asked, event.resource, method="PUT", path=f"/{event.place}") for event in events)


def post(asked: Asked, body: Resource | None, *, method: str = "POST", path: str = "") -> bool:
    """Was it taken?"""
    headers = {**asked.headers, "Content-Type": f"{JSON}; fhirVersion={asked.version}"}
    content = b"" if body is None else json.dumps(body).encode()
    try:
        answer = requests.request(
            method,
            f"{asked.endpoint}{path}",
            data=content,
            headers=headers,
            timeout=ANSWERED_WITHIN_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        logger.warning("a notification was not delivered: %s", type(error).__name__)
        return False
    return answer.ok and not answer.is_redirect


@lru_cache(maxsize=1)
def courier() -> Courier:
    """The one of this process."""
    return Courier()

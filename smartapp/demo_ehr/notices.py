"""Notifications, in the shape of the FHIR version that was asked for (Backport, "Notifications"; R5 "SubscriptionStatus")."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from smartapp.demo_ehr import addresses
from smartapp.demo_ehr.outcomes import Resource
from smartapp.demo_ehr.subscriptions import Asked


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that matched, the `number`th since the subscription began."""

    number: int
    at: str
    resource: Resource

    @property
    def place(self) -> str:
        return f"{self.resource['resourceType']}/{self.resource['id']}"


def bundle(
    kind: str, subscription: Resource, asked: Asked, *, count: int, events: Sequence[Event] = (), content: str = ""
) -> Resource:
    """`kind`: handshake, heartbeat, event-notification, query-status, query-event. `count`: events so far."""
    content = content or asked.content or "empty"
    make = parameters if asked.version == "4.0" else status
    place = f"Subscription/{subscription['id']}/$status"
    first: Resource = {
        "fullUrl": f"urn:uuid:{uuid.uuid4()}",
        "resource": make(kind, subscription, asked, count=count, events=events, content=content),
    }
    r5 = asked.version == "5.0"
    if not r5:
        first |= {"request": {"method": "GET", "url": place}, "response": {"status": "200"}}
    entries = [first, *(entry(event, content, r5=r5) for event in events if content != "empty")]
    return {"resourceType": "Bundle", "type": "subscription-notification" if r5 else "history", "entry": entries}


def entry(event: Event, content: str, *, r5: bool) -> Resource:
    found: Resource = {"fullUrl": f"{addresses.fhir_base()}/{event.place}"}
    if content == "full-resource":
        found["resource"] = event.resource
    if not r5:  # every entry of a history has them
        found |= {"request": {"method": "PUT", "url": event.place}, "response": {"status": "200"}}
    return found


def status(
    kind: str, subscription: Resource, asked: Asked, *, count: int, events: Sequence[Event], content: str
) -> Resource:
    """A SubscriptionStatus."""
    told = [
        {
            "eventNumber": str(event.number),
            "timestamp": event.at,
            **({"focus": focus(event)} if content != "empty" else {}),
        }
        for event in events
    ]
    return {
        "resourceType": "SubscriptionStatus",
        "status": subscription["status"],
        "type": kind,
        "eventsSinceSubscriptionStart": str(count),
        **({"notificationEvent": told} if told else {}),
        "subscription": reference(subscription),
        **({"topic": asked.topic} if content != "empty" else {}),
    }


def parameters(
    kind: str, subscription: Resource, asked: Asked, *, count: int, events: Sequence[Event], content: str
) -> Resource:
    """R4 has no SubscriptionStatus; numbers are texts."""
    told = [
        {
            "name": "notification-event",
            "part": [
                {"name": "event-number", "valueString": str(event.number)},
                {"name": "timestamp", "valueInstant": event.at},
                *([{"name": "focus", "valueReference": focus(event)}] if content != "empty" else []),
            ],
        }
        for event in events
    ]
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "subscription", "valueReference": reference(subscription)},
            *([{"name": "topic", "valueCanonical": asked.topic}] if content != "empty" else []),
            {"name": "status", "valueCode": subscription["status"]},
            {"name": "type", "valueCode": kind},
            {"name": "events-since-subscription-start", "valueString": str(count)},
            *told,
        ],
    }


def reference(subscription: Resource) -> Resource:
    return {"reference": f"{addresses.fhir_base()}/Subscription/{subscription['id']}"}


def focus(event: Event) -> Resource:
    return {"reference": f"{addresses.fhir_base()}/{event.place}"}

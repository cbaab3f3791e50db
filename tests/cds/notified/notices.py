"""Notifications as EHRs send them, in each style."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from smartapp.demo_ehr.store import chart_store

STYLES = ("r4", "r4b", "r5")
AT = "2026-10-01T10:00:00Z"
Resource = dict[str, Any]


def notice(
    *events: tuple[int, str] | tuple[int, str, str],
    kind: str = "event-notification",
    style: str = "r5",
    count: int | None = None,
    subscription: str = "77",
    status: str = "active",
    sent: Sequence[Resource] = (),
) -> bytes:
    """`events`: number, focus ("" for none) and when. `sent`: the resources of a full payload."""
    told = [(one[0], one[1], one[2] if len(one) > 2 else AT) for one in events]
    count = max([number for number, _, _ in told], default=0) if count is None else count
    make = _parameters if style == "r4" else _status
    about = make(
        told,
        kind=kind,
        count=count,
        subscription=f"https://ehr.example/fhir/Subscription/{subscription}",
        status=status,
    )
    request = {
        "request": {"method": "GET", "url": f"Subscription/{subscription}/$status"},
        "response": {"status": "200"},
    }
    entries: list[Resource] = [{"fullUrl": "urn:uuid:0b", "resource": about, **(request if style != "r5" else {})}]
    entries += [{"fullUrl": f"https://ehr.example/fhir/Observation/{one['id']}", "resource": one} for one in sent]
    bundle = {
        "resourceType": "Bundle",
        "type": "subscription-notification" if style == "r5" else "history",
        "entry": entries,
    }
    return json.dumps(bundle).encode()


def _parameters(told: list[tuple[int, str, str]], *, kind: str, count: int, subscription: str, status: str) -> Resource:
    """In no particular order: the Backport names the parameters and does not order them."""
    events: list[Resource] = []
    for number, focus, at in told:
        part: list[Resource] = [
            {"name": "timestamp", "valueInstant": at},
            {"name": "event-number", "valueString": str(number)},
        ]
        if focus:
            part.append({"name": "focus", "valueReference": {"reference": focus}})
        events.append({"name": "notification-event", "part": part})
    rest = [
        {"name": "events-since-subscription-start", "valueString": str(count)},
        {"name": "type", "valueCode": kind},
        {"name": "status", "valueCode": status},
        {"name": "subscription", "valueReference": {"reference": subscription}},
    ]
    return {"resourceType": "Parameters", "parameter": [*events, *rest]}


def _status(told: list[tuple[int, str, str]], *, kind: str, count: int, subscription: str, status: str) -> Resource:
    events = [
        {"eventNumber": str(number), "timestamp": at, **({"focus": {"reference": focus}} if focus else {})}
        for number, focus, at in told
    ]
    return {
        "resourceType": "SubscriptionStatus",
        "status": status,
        "type": kind,
        "eventsSinceSubscriptionStart": str(count),
        "subscription": {"reference": subscription},
        **({"notificationEvent": events} if events else {}),
    }


def observation(patient: str, *, code: str = "4548-4", value: float = 6.9, unit: str = "%") -> Resource:
    """A laboratory result, an HbA1c unless said otherwise; not stored yet."""
    laboratory = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [laboratory]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-09-30T08:00:00Z",
        "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
    }


def measured(patient: str, **more: Any) -> Resource:
    """A new result in the demo hospital's chart."""
    return chart_store().create(observation(patient, **more), author="hospital")

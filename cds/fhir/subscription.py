"""A Subscription as we ask for it, in each of the three styles.

Sources: R4 "Subscription"; Subscriptions R5 Backport 1.1.0, profile backport-subscription; R5 "Subscription".
"""

from __future__ import annotations

from datetime import datetime

from cds.fhir.elements import Resource

REASON = "New results for which a risk is estimated again"
_BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
_CHANNEL_TYPES = "http://terminology.hl7.org/CodeSystem/subscription-channel-type"
_JSON = "application/fhir+json"


def by_search(*, criteria: str, endpoint: str, header: str, until: datetime) -> Resource:
    """R4: without a payload, so that nothing of a patient is sent; the criteria are run again by us."""
    channel = {"type": "rest-hook", "endpoint": endpoint, "header": [header]}
    return _requested(until) | {"criteria": criteria, "channel": channel}


def by_topic(
    *, topic: str, criteria: str, endpoint: str, header: str, until: datetime, heartbeat: int | None
) -> Resource:
    """R4 and R4B. id-only: the facts are read with our own access."""
    beats = [{"url": f"{_BACKPORT}/backport-heartbeat-period", "valueUnsignedInt": heartbeat}] if heartbeat else []
    channel = {
        **({"extension": beats} if beats else {}),
        "type": "rest-hook",
        "endpoint": endpoint,
        "header": [header],
        "payload": _JSON,
        "_payload": {"extension": [{"url": f"{_BACKPORT}/backport-payload-content", "valueCode": "id-only"}]},
    }
    chosen = {"url": f"{_BACKPORT}/backport-filter-criteria", "valueString": criteria}
    return {
        **_requested(until),
        "meta": {"profile": [f"{_BACKPORT}/backport-subscription"]},
        "criteria": topic,
        "_criteria": {"extension": [chosen]},
        "channel": channel,
    }


def by_r5_topic(
    *, topic: str, criteria: str, endpoint: str, header: str, until: datetime, heartbeat: int | None
) -> Resource:
    kind, _, chosen = criteria.partition("?")
    parameter, _, values = chosen.partition("=")
    name, _, value = header.partition(": ")
    return {
        **_requested(until),
        "topic": topic,
        "filterBy": [{"resourceType": kind, "filterParameter": parameter, "value": values}],
        "channelType": {"system": _CHANNEL_TYPES, "code": "rest-hook"},
        "endpoint": endpoint,
        "parameter": [{"name": name, "value": value}],
        **({"heartbeatPeriod": heartbeat} if heartbeat else {}),
        "contentType": _JSON,
        "content": "id-only",
    }


def _requested(until: datetime) -> Resource:
    end = until.isoformat(timespec="seconds")
    return {"resourceType": "Subscription", "status": "requested", "reason": REASON, "end": end}

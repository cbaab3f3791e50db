"""What a Subscription in the chart asks for: R4's search criteria, or the one topic of this hospital (Subscriptions Backport)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from smartapp.demo_ehr import addresses
from smartapp.demo_ehr.outcomes import FhirError, Resource
from smartapp.demo_ehr.search import Criteria, matches, refuse_unknown

TOPIC = "https://demo-ehr.example/SubscriptionTopic/result"  # an Observation was entered or changed
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
CONTENTS = ("empty", "id-only", "full-resource")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """`version`: of the notifications (payload's parameter fhirVersion). `content`: None for R4's own style."""

    kind: str
    criteria: Criteria
    endpoint: str
    headers: dict[str, str]
    topic: str = ""
    content: str | None = None
    payload: bool = False
    version: str = "4.0"
    heartbeat: int = 0

    def wants(self, resource: Resource) -> bool:
        return bool(resource["resourceType"] == self.kind and matches(resource, self.criteria))


def asked_by(subscription: Resource) -> Asked:
    """422 for what is not offered here (Backport, "Creating a Subscription": a server rejects what it does not support)."""
    channel = subscription["channel"]
    endpoint = str(channel.get("endpoint", ""))
    if channel["type"] != "rest-hook" or not endpoint.startswith(addresses.app("/")):
        raise FhirError(422, "not-supported", "only a rest-hook to the registered app is offered")
    text, topic = str(subscription["criteria"]), ""
    if "?" not in text:
        if text != TOPIC:
            raise FhirError(422, "not-supported", "this hospital has no such topic")
        topic, text = text, str(extension(subscription.get("_criteria"), "backport-filter-criteria") or "Observation?")
    kind, _, query = text.partition("?")
    criteria = parse_qsl(query)
    if kind != "Observation":
        raise FhirError(422, "not-supported", "only Observations are told of")
    refuse_unknown(kind, criteria)
    return Asked(
        kind=kind,
        criteria=criteria,
        endpoint=endpoint,
        headers=dict(line.split(": ", 1) for line in channel.get("header", ())),
        topic=topic,
        content=content_of(channel) if topic else None,
        payload="payload" in channel,
        version=(re.search(r"fhirVersion=(\d\.\d)", channel.get("payload", "")) or ["", "4.0"])[1],
        heartbeat=int(extension(channel, "backport-heartbeat-period") or 0),
    )


def content_of(channel: Resource) -> str:
    content = extension(channel.get("_payload"), "backport-payload-content")
    if content not in CONTENTS:
        raise FhirError(422, "not-supported", "the payload's content must be empty, id-only or full-resource")
    return str(content)


def extension(element: Any, name: str) -> Any:
    """The value of one of the Backport's extensions."""
    for one in (element or {}).get("extension", ()):
        if one["url"] == f"{BACKPORT}/{name}":
            return next(value for key, value in one.items() if key.startswith("value"))
    return None

"""What the checks send to a service, and what they got."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import requests

from hooks.conformance import samples
from hooks.conformance.target import Service, Target, as_json, expect
from hooks.conformance.verdicts import Failed, Skipped

UNDERSTOOD = (200, 412)


def sample(target: Target, service: Service) -> dict[str, Any]:
    """A call without any data, for a hook that we know or that the user brought a request for."""
    hook = service["hook"]
    if hook in samples.CONTEXTS:
        return samples.request(hook)
    if hook not in target.samples:
        raise Skipped(f"we know no context for {hook}; bring one with --request")
    return fresh({"hook": hook, "context": target.samples[hook]["context"]})


def complete(target: Target, service: Service) -> dict[str, Any]:
    """The request that the user brought for this hook, else a made-up patient with an empty record."""
    if service["hook"] in target.samples:
        return fresh(target.samples[service["hook"]])
    templates = service.get("prefetch")
    return sample(target, service) | ({"prefetch": samples.empty_record(templates)} if templates else {})


def fresh(body: dict[str, Any]) -> dict[str, Any]:
    """The same call as another instance."""
    return body | {"hookInstance": str(uuid.uuid4())}


def answered(target: Target, service: Service) -> dict[str, Any]:
    answer: requests.Response = target.post(target.url(service["id"]), complete(target, service))
    if answer.status_code == 412 and service["hook"] not in target.samples:
        raise Skipped("it wants more than an empty record; bring a request with --request")
    found: dict[str, Any] = as_json(expect(answer, 200))
    if not isinstance(found, dict):
        raise Failed("the answer is not an object")
    return found


def cards_of(target: Target, service: Service) -> list[dict[str, Any]]:
    found = objects_in(answered(target, service).get("cards"))
    if not found:
        raise Skipped("no card came; bring a request that gets one with --request")
    return found


def feedback_on(card: dict[str, Any]) -> dict[str, Any]:
    if "uuid" not in card:
        raise Skipped("the card has no uuid")
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": now}


def objects_in(value: Any) -> list[dict[str, Any]]:
    """The objects of an array, whatever else a faulty answer holds."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []

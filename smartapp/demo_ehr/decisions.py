"""What a clinician does with a card: asks for it, accepts a suggestion, overrides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from smartapp.demo_ehr import hooks, interactions
from smartapp.demo_ehr.cards import ShownCard, deck
from smartapp.demo_ehr.grants import Grant
from smartapp.demo_ehr.outcomes import Resource
from smartapp.demo_ehr.scopes import scopes_in
from smartapp.demo_ehr.store import chart_store

ORDER = ("delete", "create", "update")  # of the actions of one suggestion (CDS Hooks, "Action")
TEXT_SHOWN = 600


@dataclass(kw_only=True)
class Asked:
    """What came of asking: the cards, and plainly whatever went wrong."""

    cards: list[ShownCard] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def ask(patient_id: str, hook: str = hooks.HOOK, orders: Sequence[Resource] = ()) -> Asked:
    """Every service on the hook, each with its prefetch."""
    asked = Asked()
    try:
        offered = hooks.services(hook)
    except (requests.RequestException, ValueError, KeyError) as error:
        asked.problems.append(f"Decision support could not be discovered: {why(error)}")
        return asked
    for service in offered:
        ask_one(service, patient_id, asked, orders)
    return asked


def ask_one(service: hooks.Service, patient_id: str, asked: Asked, orders: Sequence[Resource] = ()) -> None:
    name = service.get("title") or service["id"]
    try:
        answer = hooks.post(hooks.endpoint(service["id"]), hooks.hook_request(patient_id, service, orders=orders))
        if answer.status_code != 200:
            asked.problems.append(f"{name} answered {answer.status_code}: {answer.text[:TEXT_SHOWN]}")
            return
        said = answer.json()
        carry_out(said.get("systemActions", []), patient_id=patient_id)  # agreed with these services
        shown = [deck.show(card, service_id=service["id"], patient_id=patient_id) for card in said["cards"]]
        asked.cards.extend(shown)
    except (requests.RequestException, ValueError, KeyError) as error:
        asked.problems.append(f"{name}: {why(error)}")


def why(error: Exception) -> str:
    """In words for a clinician; the status and text where there was an answer."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"{response.status_code} {response.text[:TEXT_SHOWN]}"
    kinds = {requests.Timeout: "no answer in time", requests.ConnectionError: "no connection"}
    return next((text for kind, text in kinds.items() if isinstance(error, kind)), "the answer could not be read")


def accept(shown: ShownCard, index: int) -> list[str]:
    """Carries out the actions of a suggestion, then tells the service; what happened, line by line."""
    suggestion = shown.card["suggestions"][index]
    done = carry_out(suggestion.get("actions", []), patient_id=shown.patient_id)
    accepted = [{"id": suggestion["uuid"]}] if "uuid" in suggestion else None
    return done + report(shown, {"outcome": "accepted", "acceptedSuggestions": accepted} if accepted else None)


def carry_out(actions: list[dict[str, Any]], *, patient_id: str) -> list[str]:
    """All actions of a suggestion or none, as the clinician, in this chart only."""
    with chart_store().all_or_nothing():
        for action in sorted(actions, key=lambda one: ORDER.index(one["type"])):
            perform(clinician_in(patient_id), action)
    return [str(action.get("description", action["type"])) for action in actions]


def clinician_in(patient_id: str) -> Grant:
    return Grant(author="clinician", scopes=scopes_in("user/*.cruds"), patient=patient_id)


def perform(clinician: Grant, action: dict[str, Any]) -> None:
    if action["type"] == "delete":
        kind, _, resource_id = action["resourceId"].partition("/")
        interactions.delete(clinician, kind, resource_id)
    elif action["type"] == "create":
        interactions.create(clinician, action["resource"])
    else:
        interactions.update(clinician, action["resource"])


def override(shown: ShownCard, *, reason: int | None, comment: str) -> list[str]:
    """Tells the service that the clinician decided otherwise, and why."""
    given: dict[str, Any] = {}
    if reason is not None:
        given["reason"] = {
            k: v for k, v in shown.card["overrideReasons"][reason].items() if k in {"code", "system", "display"}
        }
    if comment:
        given["userComment"] = comment
    return report(shown, {"outcome": "overridden", **({"overrideReason": given} if given else {})})


def report(shown: ShownCard, feedback: dict[str, Any] | None) -> list[str]:
    if feedback is None or "uuid" not in shown.card:
        return ["The service gave no id to report this under, so it was not told."]
    try:
        answer = hooks.send_feedback(shown.service_id, [{"card": shown.card["uuid"], **feedback}])
    except requests.RequestException as error:
        return [f"The service could not be told: {why(error)}"]
    if not answer.ok:
        return [f"The service could not be told: {answer.status_code} {answer.text[:TEXT_SHOWN]}"]
    return ["The service was told."]

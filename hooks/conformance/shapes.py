"""What is wrong with a discovery answer or a card: one sentence for each fault (CDS Hooks 2.0.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

Faults = Iterator[str]
_INDICATORS = ("info", "warning", "critical")
_TOKEN = re.compile(r"\{\{(.*?)\}\}")
_PLAIN_TOKEN = re.compile(r"context\.[A-Za-z]+|user(Practitioner|PractitionerRole|Patient|RelatedPerson)Id")


# --- Discovery ---------------------------------------------------------------------------------------------------
def faults_in_discovery(answer: Any) -> Faults:
    """CDS Hooks 2.0.1, "Discovery": the answer as a whole."""
    services = answer.get("services") if isinstance(answer, dict) else None
    if not isinstance(services, list):
        yield "there is no array `services`"
        return
    seen: set[tuple[str, str]] = set()
    for place, service in enumerate(services):
        yield from faults_in_service(service, f"services[{place}]")
        name = (str(service.get("id")), str(service.get("hook"))) if isinstance(service, dict) else ("", "")
        if name in seen:
            yield f"services[{place}]: id and hook were named before"
        seen.add(name)


def faults_in_service(service: Any, at: str) -> Faults:
    if not isinstance(service, dict):
        yield f"{at} is not an object"
        return
    yield from faults_in_names(service, at)
    yield from _texts(service, at, required=("description",), optional=("title", "usageRequirements"))
    yield from empty_members(service, at)
    for key, template in _prefetch_of(service).items():
        for token in _TOKEN.findall(str(template)):
            if not _PLAIN_TOKEN.fullmatch(token.strip()):
                yield f"{at}.prefetch.{key}: {{{{{token}}}}} is no token of a first-level context field or of the user"


def faults_in_names(service: dict[str, Any], at: str = "") -> Faults:
    """What must be right for a client to call it at all."""
    yield from _texts(service, at, required=("hook", "id"), optional=())
    prefetch = service.get("prefetch", {})
    if not isinstance(prefetch, dict) or not all(isinstance(template, str) for template in prefetch.values()):
        yield f"{at}.prefetch is not an object of texts"


def _prefetch_of(service: dict[str, Any]) -> dict[str, Any]:
    prefetch = service.get("prefetch")
    return prefetch if isinstance(prefetch, dict) else {}


# --- Cards -------------------------------------------------------------------------------------------------------
def faults_in_answer(answer: Any) -> Faults:
    """CDS Hooks 2.0.1, "CDS Service Response"."""
    cards = answer.get("cards") if isinstance(answer, dict) else None
    if not isinstance(cards, list):
        yield "there is no array `cards`"
        return
    for place, card in enumerate(cards):
        yield from faults_in_card(card, f"cards[{place}]")
    for name in sorted(answer.keys() - {"cards"}):
        yield from empty_members(answer[name], f"the answer.{name}")
    yield from _each(answer, "systemActions", "the answer", _system_action)


def faults_in_card(card: Any, at: str) -> Faults:
    """CDS Hooks 2.0.1, "Card Attributes"."""
    if not isinstance(card, dict):
        yield f"{at} is not an object"
        return
    yield from empty_members(card, at)
    yield from _texts(card, at, required=("summary",), optional=("uuid", "detail"))
    if (length := len(str(card.get("summary", "")))) >= 140:
        yield f"{at}.summary has {length} characters, and fewer than 140 are allowed"
    if card.get("indicator") not in _INDICATORS:
        yield f"{at}.indicator is {card.get('indicator')!r}"
    yield from _source(card.get("source"), f"{at}.source")
    yield from _suggestions(card, at)
    yield from _each(card, "overrideReasons", at, _override)
    yield from _each(card, "links", at, _link)


def empty_members(value: Any, at: str) -> Faults:
    """CDS Hooks 2.0.1, "Use of JSON": what has no value is left out."""
    if value is None or value in ("", [], {}):
        yield f"{at} is {value!r}; a member without value must be left out"
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from empty_members(member, f"{at}.{name}")
    elif isinstance(value, list):
        for place, member in enumerate(value):
            yield from empty_members(member, f"{at}[{place}]")


def _source(source: Any, at: str) -> Faults:
    if not isinstance(source, dict):
        yield f"{at} is missing"
        return
    yield from _texts(source, at, required=("label",), optional=())
    for name in ("url", "icon"):
        if name in source and not _absolute(source[name]):
            yield f"{at}.{name} is not an absolute URL"
    if "topic" in source:
        yield from _coding(source["topic"], f"{at}.topic")


def _suggestions(card: dict[str, Any], at: str) -> Faults:
    yield from _each(card, "suggestions", at, _suggestion)
    behaviour = card.get("selectionBehavior")
    if "suggestions" in card and behaviour not in ("at-most-one", "any"):
        yield f"{at}.selectionBehavior is {behaviour!r}"
    suggestions = card.get("suggestions")
    chosen = [one for one in suggestions if isinstance(one, dict)] if isinstance(suggestions, list) else []
    if behaviour == "at-most-one" and sum(one.get("isRecommended") is True for one in chosen) > 1:
        yield f"{at}: two suggestions are recommended, and at most one may be chosen"


def _suggestion(suggestion: dict[str, Any], at: str) -> Faults:
    yield from _texts(suggestion, at, required=("label",), optional=("uuid",))
    if not isinstance(suggestion.get("isRecommended", False), bool):
        yield f"{at}.isRecommended is not true or false"
    yield from _each(suggestion, "actions", at, _action)


def _action(action: dict[str, Any], at: str) -> Faults:
    """CDS Hooks 2.0.1, "Action"."""
    yield from _texts(action, at, required=("description",), optional=())
    yield from _system_action(action, at)


def _system_action(action: dict[str, Any], at: str) -> Faults:
    """An action that needs no description."""
    kind = action.get("type")
    if kind not in ("create", "update", "delete"):
        yield f"{at}.type is {kind!r}"
    resource = action.get("resource")
    if kind in ("create", "update") and not (isinstance(resource, dict) and resource.get("resourceType")):
        yield f"{at}.resource is not a resource"
    if kind == "delete" and not isinstance(action.get("resourceId"), str):
        yield f"{at}.resourceId is missing"


def _override(reason: dict[str, Any], at: str) -> Faults:
    yield from _coding(reason, at)
    if not isinstance(reason.get("display"), str):
        yield f"{at}.display is missing"


def _link(link: dict[str, Any], at: str) -> Faults:
    """CDS Hooks 2.0.1, "Link"."""
    yield from _texts(link, at, required=("label",), optional=("appContext",))
    if not _absolute(link.get("url")):
        yield f"{at}.url is not an absolute URL"
    if link.get("type") not in ("absolute", "smart"):
        yield f"{at}.type is {link.get('type')!r}"
    if "appContext" in link and link.get("type") != "smart":
        yield f"{at}.appContext goes with a SMART link only"


def _coding(coding: Any, at: str) -> Faults:
    """CDS Hooks' Coding is not FHIR's: code and system are required."""
    if not isinstance(coding, dict):
        yield f"{at} is not an object"
        return
    yield from _texts(coding, at, required=("code", "system"), optional=("display",))


def _texts(value: dict[str, Any], at: str, *, required: tuple[str, ...], optional: tuple[str, ...]) -> Faults:
    for name in (*required, *optional):
        if name not in value and name in optional:
            continue
        if not isinstance(value.get(name), str):
            yield f"{at}.{name} is {'missing' if name not in value else 'not a text'}"


def _each(value: dict[str, Any], name: str, at: str, faults: Callable[[dict[str, Any], str], Faults]) -> Faults:
    """The faults of every object in an array that may be absent."""
    members = value.get(name, [])
    if not isinstance(members, list):
        yield f"{at}.{name} is not an array"
        return
    for place, member in enumerate(members):
        if isinstance(member, dict):
            yield from faults(member, f"{at}.{name}[{place}]")
        else:
            yield f"{at}.{name}[{place}] is not an object"


def _absolute(url: Any) -> bool:
    return isinstance(url, str) and urlsplit(url).scheme in {"http", "https"} and bool(urlsplit(url).netloc)

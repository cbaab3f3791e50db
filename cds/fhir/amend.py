"""What stands in a chart, marked: superseded or no longer so, entered in error, or confirmed. Nothing else of it changes.

Statuses: R4 observation-status, which RiskAssessment and DiagnosticReport share; document-reference-status and
composition-status for a document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from html import escape
from typing import Any, NamedTuple

from cds.codes import Code
from cds.fhir.elements import Resource, coding, concept, instant, narrative, references, without_empty
from cds.fhir.transparency import PARTICIPANT
from cds.fhir.versions import Version

_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_COMPLETION = "http://terminology.hl7.org/CodeSystem/v3-DocumentCompletion"
_DOCUMENT = "DocumentReference"
WRONG = "entered-in-error"
# What has no note of its own says it where people read it first.
_SAYS_IN = {_DOCUMENT: "description", "DiagnosticReport": "conclusion"}
_DIV = re.compile(r"^<div[^>]*>")


class Mark(StrEnum):
    """What became of a result."""

    SUPERSEDED = "superseded"
    RESTORED = "restored"
    WITHDRAWN = "withdrawn"
    CONFIRMED = "confirmed"


# From which status to which; what is not named stays. A preliminary result that is superseded was never final, so it is
# not "amended", and what was entered in error stays so. What was amended once stays amended when it counts again.
_RESULT: Mapping[Mark, Mapping[str, str]] = {
    Mark.SUPERSEDED: {"final": "amended"},
    Mark.RESTORED: {},
    Mark.WITHDRAWN: dict.fromkeys(("preliminary", "final", "amended", "corrected"), WRONG),
    Mark.CONFIRMED: {"preliminary": "final"},
}
_DOCUMENTS: Mapping[Mark, Mapping[str, str]] = {
    Mark.SUPERSEDED: {"current": "superseded"},
    Mark.RESTORED: {"superseded": "current"},
    Mark.WITHDRAWN: dict.fromkeys(("current", "superseded"), WRONG),
    Mark.CONFIRMED: {},
}


_IN_STATUS_ALONE = {Mark.WITHDRAWN, Mark.CONFIRMED}
# R4 provenance-activity-type, which one may go beyond: of being vouched for it has only what a law asks for.
_ACTIVITY = {
    Mark.SUPERSEDED: Code(_OPERATION, "UPDATE"),
    Mark.RESTORED: Code(_OPERATION, "REACTIVATE"),
    Mark.WITHDRAWN: Code(_OPERATION, "NULLIFY"),
    Mark.CONFIRMED: Code(_COMPLETION, "AU"),
}
_DISPLAY = {"UPDATE": "revise", "NULLIFY": "nullify", "REACTIVATE": "reactivate", "AU": "authenticated"}


def has_identifier(resource: Mapping[str, Any], system: str, *, beginning: str = "") -> bool:
    """Does it say that it is ours, and which? STU3 has one identifier where later versions have several."""
    found = resource.get("identifier") or []
    named = found if isinstance(found, list) else [found]
    return any(one.get("system") == system and one.get("value", "").startswith(beginning) for one in named)


def marked(resource: Resource, mark: Mark, note: str, *, version: Version) -> Resource:
    """A copy that says so; equal to `resource` where there is nothing left to say. `note`: for people; "" for none."""
    statuses = _statuses(resource, mark)
    if resource.get("status") == WRONG or (mark in _IN_STATUS_ALONE and not statuses):
        return resource
    found = resource | statuses
    return _noted(found, note, version) if note and note not in said(resource) else found


def _statuses(resource: Resource, mark: Mark) -> Resource:
    if resource["resourceType"] == _DOCUMENT:
        return _changed(resource, "status", _DOCUMENTS[mark]) | _changed(resource, "docStatus", _RESULT[mark])
    return _changed(resource, "status", _RESULT[mark])


def _changed(resource: Resource, name: str, moves: Mapping[str, str]) -> Resource:
    before = str(resource.get(name, ""))
    return {name: moves[before]} if before in moves else {}


def _noted(resource: Resource, note: str, version: Version) -> Resource:
    kind = resource["resourceType"]
    if kind in _SAYS_IN:
        name = _SAYS_IN[kind]
        said: Resource = {name: f"{note} {resource.get(name, '')}".strip()}
    else:
        there = version.writes({"resourceType": kind, "note": [{"text": note}]})
        said = {name: _added(resource.get(name), value) for name, value in there.items() if name != "resourceType"}
    return resource | said | {"text": _in_narrative(resource.get("text"), note)}


def _added(before: Any, more: Any) -> Any:
    """To a list of Annotations, or to STU3's one comment."""
    if not before:
        return more
    return [*before, *more] if isinstance(before, list) else f"{before}\n{more}"


def _in_narrative(text: Any, note: str) -> Resource:
    """First, since a viewer may show nothing but the narrative."""
    div = text.get("div", "") if isinstance(text, dict) else ""
    if not _DIV.match(div):
        return narrative(note)
    return {**text, "div": _DIV.sub(lambda opened: f"{opened.group()}<p>{escape(note)}</p>", div)}


def said(resource: Mapping[str, Any]) -> str:
    """All that its notes say."""
    notes = [one.get("text", "") for one in resource.get("note") or [] if isinstance(one, dict)]
    return "\n".join([*notes, *(str(resource.get(name, "")) for name in ("comment", *_SAYS_IN.values()))])


# --- Who did it ----------------------------------------------------------------------------------------------------
class Deed(NamedTuple):
    """Why things were marked: the Provenance of it. `changed`: the versions before, none where something was confirmed as
    it stands; `because_of`: what took their place.

    `who`: a reference to a clinician, or to the algorithm's Device; "" for Bedside.
    """

    mark: Mark
    at: datetime
    who: str
    changed: tuple[str, ...] = ()
    because_of: tuple[str, ...] = ()


def revision(targets: Iterable[str], deed: Deed) -> Resource:
    """A revision (R4 provenance-entity-role) of what stood there; what confirms it is a verifier's, else an author's."""
    role, display = ("verifier", "Verifier") if deed.mark is Mark.CONFIRMED else ("author", "Author")
    operation = _ACTIVITY[deed.mark]
    activity = coding(operation, _DISPLAY[operation.code])
    revised = [{"role": "revision", "what": one} for one in references(deed.changed)]
    sources = [{"role": "source", "what": one} for one in references(deed.because_of)]
    found = {
        "resourceType": "Provenance",
        "text": narrative(f"A result of an artificial intelligence was {deed.mark}"),
        "target": references(targets),
        "occurredDateTime": instant(deed.at),
        "recorded": instant(deed.at),
        "activity": {"coding": [activity]},
        "agent": [{"type": concept(Code(PARTICIPANT, role), display), "who": _who(deed.who)}],
        "entity": [*revised, *sources],
    }
    return without_empty(found)


def _who(reference: str) -> Resource:
    return {"reference": reference} if reference else {"display": "Bedside"}

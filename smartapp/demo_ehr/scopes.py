"""SMART scopes, in the syntax of version 2 and of version 1 (SMART App Launch 2.2, "Scopes")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from smartapp.demo_ehr.search import Criteria

SYNTAX = re.compile(r"^(patient|user|system)/([A-Z][A-Za-z]+|\*)\.([^?]+)(?:\?(.+))?$")
VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}
CRUDS = re.compile(r"^c?r?u?d?s?$")  # the letters must keep this order: `.dus` is no scope


@dataclass(frozen=True, kw_only=True)
class Scope:
    """One permission: whose resources, which type, which interactions, and only those that meet `criteria`."""

    level: str
    kind: str
    letters: str
    criteria: Criteria = ()

    def covers(self, kind: str, letter: str) -> bool:
        return self.kind in {kind, "*"} and letter in self.letters


def parse_scope(text: str) -> Scope | None:
    """The permission that a scope names; None for `openid`, `launch` and what is no scope of ours."""
    parsed = SYNTAX.match(text.removeprefix("http://smarthealthit.org/fhir/scopes/"))
    if not parsed:
        return None
    letters = VERSION_1.get(parsed[3], parsed[3])
    if not CRUDS.match(letters):
        return None
    return Scope(level=parsed[1], kind=parsed[2], letters=letters, criteria=tuple(parse_qsl(parsed[4] or "")))


def scopes_in(text: str) -> tuple[Scope, ...]:
    """The permissions in a scope string; it is split at blanks only, a granular scope contains `?` and `&`."""
    return tuple(scope for scope in map(parse_scope, text.split()) if scope)


def grantable(asked: str, *, levels: frozenset[str], words: frozenset[str]) -> str:
    """What of a request may be granted: known words, and permissions at the levels allowed."""
    granted = [
        text for text in asked.split() if text in words or ((scope := parse_scope(text)) and scope.level in levels)
    ]
    return " ".join(dict.fromkeys(granted))

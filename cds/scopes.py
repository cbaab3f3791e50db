"""What a scope opens: SMART App Launch 2.2, "Scopes and Launch Context", in the syntax of version 2 or 1."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qs

from cds.needs import Need

_URI_FORM = "http://smarthealthit.org/fhir/scopes/"  # how some write scopes
# Of Observations; a scope may name its system or leave it out.
_CATEGORIES = {
    "",
    "http://terminology.hl7.org/CodeSystem/observation-category",
    "http://hl7.org/fhir/observation-category",
}
_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}


def opens(scopes: Iterable[str], need: Need, *, levels: Iterable[str]) -> bool:
    """May what this need asks for be read? A Patient is read by its id, everything else is searched for."""
    letter = "r" if need.resource == "Patient" else "s"
    return allow(scopes, need.resource, letter, levels=levels, category=need.category)


def allow(scopes: Iterable[str], resource: str, letter: str, *, levels: Iterable[str], category: str = "") -> bool:
    """Does one of the granted scopes cover this interaction (a letter of `cruds`)? `levels`: patient, user, system."""
    for scope in scopes:
        plain, _, limits = scope.removeprefix(_URI_FORM).partition("?")
        subject, _, letters = plain.rpartition(".")
        level, _, kind = subject.partition("/")
        fits = level in levels and kind in {resource, "*"}
        if fits and letter in _VERSION_1.get(letters, letters) and (not limits or _covers(limits, category)):
            return True
    return False


def as_version_1(scope: str) -> str:
    """`system/Patient.rs` as servers of version 1 know it: `system/Patient.read`."""
    subject, _, letters = scope.rpartition(".")
    reads, writes = set(letters) & set("rs"), set(letters) & set("cud")
    return f"{subject}.{'*' if reads and writes else 'write' if writes else 'read'}"


def _covers(limits: str, category: str) -> bool:
    """A granular scope opens a part of a type; all of this category, if it is limited by category and nothing else."""
    given = parse_qs(limits, keep_blank_values=True)
    names = [one.rpartition("|") for value in given.pop("category", []) for one in value.split(",")]
    return bool(category) and not given and any(code == category and system in _CATEGORIES for system, _, code in names)

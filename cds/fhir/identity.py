"""A FHIR Patient to the identity that a banner shows and an archive files by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from cds.codes import Code, code_of
from cds.errors import FhirInvalid, MergedPatient
from cds.fhir.shapes import Concept, Meta, PatientLink, Shape, labelled, replaced, replaces
from cds.identity import PatientIdentity
from cds.labels import RESTRICTED

_RECORD_NUMBER = Code("http://terminology.hl7.org/CodeSystem/v2-0203", "MR")
_BEST_NAME_FIRST = ("official", "usual", None)


class _Name(Shape):
    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: list[str] | None = None


class _Identifier(Shape):
    use: str | None = None
    type: Concept | None = None
    system: str | None = None
    value: str | None = None


class _Patient(Shape):
    resource_type: str = ""
    id: str | None = None
    meta: Meta | None = None
    link: list[PatientLink] | None = None
    name: list[_Name] | None = None
    identifier: list[_Identifier] | None = None
    gender: str | None = None
    birth_date: str | None = None


def identity(patient: Mapping[str, Any], *, mrn_system: str) -> PatientIdentity:
    """`mrn_system` is the EHR's Identifier.system of the record number; without it, the one identifier of type MR."""
    try:
        found = msgspec.convert(patient, _Patient)
    except msgspec.ValidationError as error:
        raise FhirInvalid("the Patient cannot be read") from error
    if found.resource_type != "Patient" or not found.id:
        raise FhirInvalid("the answer is not a Patient")
    if (into := replaced(found.link)) is not None:
        raise MergedPatient(into)
    name = _best_name(found.name or [])
    given = name.given or []
    number = _record_number(found.identifier or [], mrn_system)
    return PatientIdentity(
        id=found.id,
        family=name.family or ("" if given else name.text or ""),
        given=given[0] if given else "",
        middle=" ".join(given[1:]),
        birth_date=_full_date(found.birth_date),
        sex=found.gender or "unknown",
        mrn=(number.value or "") if number else "",
        issuer=(number.system or "") if number else "",
        restricted=labelled(found.meta, RESTRICTED),
        replaces=replaces(found.link),
    )


def _best_name(names: list[_Name]) -> _Name:
    """The official one, else the usual, else one without use; an old name or a nickname only where there is no other."""
    for use in _BEST_NAME_FIRST:
        for name in names:
            if name.use == use:
                return name
    return names[0] if names else _Name()


def _record_number(identifiers: list[_Identifier], mrn_system: str) -> _Identifier | None:
    """None where several numbers could be meant: a report filed under the wrong one is worse than none."""
    current = [one for one in identifiers if one.value and one.use != "old"]
    meant = [one for one in current if (one.system == mrn_system if mrn_system else _is_record_number(one))]
    return meant[0] if len({(one.system, one.value) for one in meant}) == 1 else None


def _is_record_number(identifier: _Identifier) -> bool:
    coding = identifier.type.coding if identifier.type else None
    return any(code_of(one.system or "", one.code or "") == _RECORD_NUMBER for one in coding or ())


def _full_date(text: str | None) -> date | None:
    """A partial date would have to be completed with what nobody knows."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None

"""Content items of a structured report (PS3.3, C.17.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydicom.dataset import Dataset
from pydicom.uid import UID

from cds.codes import LOINC, OURS, SNOMED, UCUM, Code
from cds.dicom.words import decimal, line, paragraph
from cds.errors import BadInput

SCHEME = "99BEDSIDE"  # designators of private schemes begin with 99
_DESIGNATORS = {LOINC: "LN", SNOMED: "SCT", UCUM: "UCUM"}
_LONGEST_CODE_VALUE = 16


class Name(NamedTuple):
    """A coded concept: value, scheme, meaning."""

    value: str
    scheme: str
    meaning: str


def named(code: Code, meaning: str) -> Name:
    """A FHIR code in DICOM's words; whatever is of our own code systems is of our one private scheme."""
    scheme = SCHEME if code.system.startswith(OURS) else _DESIGNATORS.get(code.system)
    if scheme is None:
        raise BadInput(f"codes of {code.system} have no designator in DICOM here")
    return Name(code.code, scheme, meaning)


def container(name: Name, children: Iterable[Dataset], *, relationship: str = "CONTAINS") -> Dataset:
    item = _item("CONTAINER", name, relationship, children)
    item.ContinuityOfContent = "SEPARATE"
    return item


def text(name: Name, value: str, *, relationship: str, children: Iterable[Dataset] = ()) -> Dataset:
    item = _item("TEXT", name, relationship, children)
    item.TextValue = paragraph(value)
    return item


def coded(name: Name, value: Name, *, relationship: str) -> Dataset:
    item = _item("CODE", name, relationship)
    item.ConceptCodeSequence = [concept(value)]
    return item


def uid_reference(name: Name, value: UID, *, relationship: str) -> Dataset:
    item = _item("UIDREF", name, relationship)
    item.UID = value
    return item


def number(name: Name, value: float, unit: Name, *, relationship: str, children: Iterable[Dataset] = ()) -> Dataset:
    measured = Dataset()
    measured.NumericValue = decimal(value)
    if measured.NumericValue != value:
        measured.FloatingPointValue = value  # what 16 characters cannot hold
    measured.MeasurementUnitsCodeSequence = [concept(unit)]
    item = _item("NUM", name, relationship, children)
    item.MeasuredValueSequence = [measured]
    return item


def concept(name: Name) -> Dataset:
    """One item of a code sequence; what is too long for CodeValue (SH) stands in LongCodeValue."""
    item = Dataset()
    if len(name.value) <= _LONGEST_CODE_VALUE:
        item.CodeValue = name.value
    else:
        item.LongCodeValue = name.value
    item.CodingSchemeDesignator = name.scheme
    item.CodeMeaning = line(name.meaning)
    return item


def _item(kind: str, name: Name, relationship: str, children: Iterable[Dataset] = ()) -> Dataset:
    item = Dataset()
    item.RelationshipType = relationship
    item.ValueType = kind
    item.ConceptNameCodeSequence = [concept(name)]
    if inner := list(children):
        item.ContentSequence = inner
    return item

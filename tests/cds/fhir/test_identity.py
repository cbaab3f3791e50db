"""Who the patient is, from a FHIR Patient."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cds.errors import FhirInvalid
from cds.fhir.identity import identity

MR = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}


def number(value: str, system: str = "urn:oid:1.2", **more: Any) -> dict[str, Any]:
    return {"type": MR, "system": system, "value": value, **more}


def patient(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "chen", **members}


def test_the_official_name_is_preferred_to_the_usual_and_both_to_an_old_one() -> None:
    names = [
        {"use": "old", "family": "Wang"},
        {"use": "usual", "family": "陈", "given": ["伟"]},
        {"use": "official", "family": "Chen", "given": ["Wei", "Li"]},
    ]
    assert identity(patient(name=names), mrn_system="").name == "Wei Li Chen"
    assert identity(patient(name=names[:2]), mrn_system="").name == "伟 陈"


def test_a_name_that_is_only_text_is_kept_whole() -> None:
    assert identity(patient(name=[{"text": "Sukarno"}]), mrn_system="").family == "Sukarno"


def test_the_record_number_is_not_the_id_of_the_resource() -> None:
    found = identity(patient(identifier=[number("NG-1")]), mrn_system="")
    assert (found.id, found.mrn, found.issuer) == ("chen", "NG-1", "urn:oid:1.2")


def test_of_several_record_numbers_the_configured_system_chooses() -> None:
    both = patient(identifier=[number("NG-1"), number("X-2", "urn:oid:9")])
    assert identity(both, mrn_system="urn:oid:9").mrn == "X-2"
    assert identity(both, mrn_system="").mrn == ""


@pytest.mark.parametrize(
    "identifiers",
    [[], [number("NG-1"), number("NG-2")], [number("NG-1", use="old")], [{"system": "urn:oid:1.2"}]],
    ids=["none", "merged", "old", "without value"],
)
def test_where_no_single_number_is_meant_there_is_none(identifiers: list[dict[str, Any]]) -> None:
    assert identity(patient(identifier=identifiers), mrn_system="urn:oid:1.2").mrn == ""


def test_a_number_that_is_not_a_record_number_is_never_taken_for_one() -> None:
    assert identity(patient(identifier=[{"system": "urn:ssn", "value": "123"}]), mrn_system="").mrn == ""


@pytest.mark.parametrize(("text", "born"), [("1973-05-04", date(1973, 5, 4)), ("1973-05", None), (None, None)])
def test_only_a_full_birth_date_is_one(text: str | None, born: date | None) -> None:
    assert identity(patient(birthDate=text), mrn_system="").birth_date == born


@pytest.mark.parametrize("other", [{"resourceType": "OperationOutcome"}, patient(name="Chen"), patient(id=None)])
def test_what_is_not_a_patient_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(FhirInvalid):
        identity(other, mrn_system="")

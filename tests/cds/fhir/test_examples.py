"""HL7's own examples of STU3, R4 and R5: every one is read without a crash, and with the facts that it states."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from django.conf import settings

from cds import analytes
from cds.analytes import Analyte
from cds.fhir.read import FACTS, Reader, Reading
from cds.needs import Need

EXAMPLES = settings.BASE_DIR.parent / "shared" / "data" / "hl7_examples"
FILES = sorted(EXAMPLES.glob("*/*.json"))
MEASURED = tuple(one for one in vars(analytes).values() if isinstance(one, Analyte))

pytestmark = pytest.mark.skipif(not FILES, reason="HL7's examples are not part of this repository")

# What the text of each example says. Of one id the versions state the same, unless noted.
STATED: dict[str, tuple[str, str, str]] = {  # status, a code, start
    "Condition-f002": ("active", "254637007", "2011-05-05"),
    "Condition-f202": ("resolved", "363346000", "2012-12-01"),  # STU3 says assertedDate
    "Condition-f205": ("active", "87628006", "2013-04-04"),
    "Encounter-f203": ("finished", "IMP", "2013-03-11"),
    "Encounter-f202": ("finished", "AMB", ""),
    "MedicationRequest-medrx0302": ("active", "324252006", "2015-01-15"),
    "MedicationRequest-medrx0305": ("completed", "308047", "2015-01-15"),  # in a contained Medication
    "MedicationStatement-example003": ("active", "", "2014-02-01"),
    "Procedure-f002": ("completed", "359615001", "2013-03-08T09:00:10+01:00"),
    "ProcedureRequest-example-pgx": ("active", "47403-1", "2016-10-10T15:00:00-07:00"),
    "ProcedureRequest-example": ("completed", "303653007", ""),
    "ServiceRequest-example": ("completed", "303653007", ""),
}
MEASUREMENTS = {"blood-pressure": {"systolic": 107.0, "diastolic": 60.0}, "bmi": {"bmi": 16.2}}
PERSONS = {"pat3": ("male", "1982-01-23", True), "xcda": ("male", "1932-09-24", False), "dicom": ("male", None, False)}


def name(file: Path) -> str:
    return f"{file.parent.name}-{file.stem}"


def read(file: Path) -> Reading:
    """For the patient whom the example is about."""
    found: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    subject = (found.get("subject") or found.get("patient") or {}).get("reference", "Patient/nobody")
    kind = found["resourceType"]
    patient = found["id"] if kind == "Patient" else subject.rpartition("/")[2]
    return Reader(patient_id=patient, zone=ZoneInfo("UTC")).read(need_of(kind), file.read_bytes())


def need_of(kind: str) -> Need:
    if kind == "Patient":
        return Need.patient()
    if kind == "Observation":
        return Need.observations("any", *MEASURED, category="laboratory")
    return Need.resources("any", kind)


def of(*kinds: str) -> list[Path]:
    return [file for file in FILES if file.stem.partition("-")[0] in kinds]


@pytest.mark.parametrize("file", FILES, ids=name)
def test_no_example_stops_the_reader_whatever_it_was_asked_for(file: Path) -> None:
    for need in (Need.patient(), need_of("Observation"), need_of("Condition"), need_of("ServiceRequest")):
        Reader(patient_id="example", zone=ZoneInfo("UTC")).read(need, file.read_bytes())


@pytest.mark.parametrize("file", of(*FACTS), ids=name)
def test_every_statement_becomes_one_fact_with_its_source(file: Path) -> None:
    reading = read(file)
    (fact,) = reading.coded
    assert isinstance(fact, FACTS[file.stem.partition("-")[0]])
    assert fact.source == file.stem.replace("-", "/", 1)
    assert fact.status
    assert fact.codes or fact.text
    assert (reading.issues, reading.failed) == ([], False)


@pytest.mark.parametrize("file", [file for file in FILES if file.stem in STATED], ids=name)
def test_a_statement_says_what_its_example_says(file: Path) -> None:
    (fact,) = read(file).coded
    status, code, start = STATED[file.stem]
    assert fact.status == status
    assert code in {one.code for one in fact.codes} or (not code and not fact.codes)
    assert (fact.start.text if fact.start else "") == start


@pytest.mark.parametrize("file", of("Observation"), ids=name)
def test_an_observation_is_measured_or_refused_with_a_reason_or_not_asked_for(file: Path) -> None:
    reading = read(file)
    key = file.stem.removeprefix("Observation-")
    assert {fact.analyte: fact.quantity.value for fact in reading.observed} == MEASUREMENTS.get(key, {})
    reasons = [issue.reason for issue in reading.issues]
    if key == "blood-pressure-cancel":
        assert reasons == ["Systolic pressure: status cancelled", "Diastolic pressure: status cancelled"]
    elif key == "body-length":  # of a newborn child
        assert reasons == ["Height: implausible value 25 cm"]
    else:
        assert reasons == []


@pytest.mark.parametrize("file", of("Patient"), ids=name)
def test_a_patient_is_a_person(file: Path) -> None:
    person = read(file).person
    assert person is not None
    said = (person.sex, person.birth_date.text if person.birth_date else None, person.deceased)
    assert said == PERSONS.get(person.id, said)
    assert person.id == file.stem.removeprefix("Patient-")

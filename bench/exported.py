"""A seeded export for the population's benchmark: patients, and so many bytes of Observations, shaped as Synthea's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

FIRST = date(2015, 1, 1)
VISITS, DAYS_APART = 40, 100  # of each patient; the last one is in 2025
# code, display, unit, low, high, share of the visits. About a third of all lines are ones that the service asks for.
ASKED = (
    ("8302-2", "Body Height", "cm", 150, 195, 1.0),
    ("29463-7", "Body Weight", "kg", 50, 120, 1.0),
    ("39156-5", "Body Mass Index", "kg/m2", 18, 42, 1.0),
    ("2345-7", "Glucose", "mg/dL", 70, 120, 0.5),
    ("2093-3", "Total Cholesterol", "mg/dL", 120, 280, 0.3),
    ("2085-9", "High Density Lipoprotein Cholesterol", "mg/dL", 30, 80, 0.3),
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", 4, 6, 0.2),
)
OTHERS = (
    ("72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported", "{score}", 0, 10),
    ("8867-4", "Heart rate", "/min", 50, 110),
    ("9279-1", "Respiratory rate", "/min", 11, 20),
    ("2947-0", "Sodium", "mmol/L", 135, 145),
    ("6298-4", "Potassium", "mmol/L", 3, 5),
    ("2069-3", "Chloride", "mmol/L", 98, 110),
    ("20565-8", "Carbon Dioxide", "mmol/L", 20, 30),
    ("49765-1", "Calcium", "mg/dL", 8, 10),
    ("6299-2", "Urea Nitrogen", "mg/dL", 7, 20),
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 12, 18),
)
PANEL, PRESSURES = (
    "85354-9",
    (("8480-6", "Systolic Blood Pressure", 100, 140), ("8462-4", "Diastolic Blood Pressure", 60, 90)),
)
_UCUM = "http://unitsofmeasure.org"
_CATEGORY = (
    '[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"%s","display":"%s"}]}]'
)
_VITAL, _LABORATORY = (_CATEGORY % (name, name) for name in ("vital-signs", "laboratory"))
_META = '{"tag":[{"system":"https://example.org/tags","code":"synthetic"},{"system":"urn:pack:source","code":"bedside-bench"}]}'


def export(folder: Path, *, size: int, seed: int = 1) -> int:
    """Patient.ndjson and Observation.ndjson with about `size` bytes; how many patients that is. Made once."""
    done = folder / f"{size}-{seed}.patients"
    if done.exists():
        return int(done.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    dice, written, patients = random.Random(seed), 0, 0
    with (folder / "Patient.ndjson").open("w") as people, (folder / "Observation.ndjson").open("w") as observations:
        while written < size:
            people.write(_patient(patients, dice))
            written += sum(observations.write(line) for line in _observations(patients, dice))
            patients += 1
    done.write_text(str(patients))
    return patients


def _patient(number: int, dice: random.Random) -> str:
    born = date(1940, 1, 1) + timedelta(days=dice.randrange(365 * 60))
    return f'{{"resourceType":"Patient","id":"p{number}","gender":"{dice.choice(("male", "female"))}","birthDate":"{born}"}}\n'


def _observations(patient: int, dice: random.Random) -> Iterator[str]:
    start = FIRST + timedelta(days=dice.randrange(30))
    for visit in range(VISITS):
        day = f"{start + timedelta(days=visit * DAYS_APART)}T0{dice.randrange(10)}:{dice.randrange(10, 60)}:00+00:00"
        head = (patient, visit, day)
        for code, display, unit, low, high, share in ASKED:
            if dice.random() < share:
                yield _observation(*head, code, display, _value(unit, low, high, dice))
        parts = ",".join(_part(code, display, low, high, dice) for code, display, low, high in PRESSURES)
        yield _observation(*head, PANEL, "Blood Pressure", f'"component":[{parts}]')
        for code, display, unit, low, high in OTHERS:
            yield _observation(*head, code, display, _value(unit, low, high, dice))


def _part(code: str, display: str, low: int, high: int, dice: random.Random) -> str:
    return f'{{"code":{_concept(code, display)},{_value("mm[Hg]", low, high, dice)}}}'


def _value(unit: str, low: int, high: int, dice: random.Random) -> str:
    value = dice.uniform(low, high)
    return f'"valueQuantity":{{"value":{value},"unit":"{unit}","system":"{_UCUM}","code":"{unit}"}}'


def _concept(code: str, display: str) -> str:
    return f'{{"coding":[{{"system":"http://loinc.org","code":"{code}","display":"{display}"}}],"text":"{display}"}}'


def _observation(patient: int, visit: int, day: str, code: str, display: str, value: str) -> str:
    category = _VITAL if code in {PANEL, "8302-2", "29463-7", "39156-5"} else _LABORATORY
    return (
        f'{{"resourceType":"Observation","id":"o{patient}-{visit}-{code}-4bde-47e6-8ef7-ac46372ee788","status":"final",'
        f'"category":{category},"code":{_concept(code, display)},"subject":{{"reference":"Patient/p{patient}"}},'
        f'"encounter":{{"reference":"Encounter/a7bdc81c-5447-4162-82ad-507b69f70275-{visit}"}},"effectiveDateTime":"{day}",'
        f'"issued":"{day}",{value},"meta":{_META}}}\n'
    )

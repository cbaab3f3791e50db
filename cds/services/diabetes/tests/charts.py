"""Small charts for the tests: a person of 52 in Auckland, on an afternoon when London is still at breakfast."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cds import analytes
from cds.codes import ACT_CODE, LOINC, SNOMED, Code
from cds.context import PatientContext
from cds.dates import months_before
from cds.facts import Diagnosis, Drug, Observed, Order, Person, Quantity, Stay, Treatment, When
from cds.fhir.dates import parse

AUCKLAND = ZoneInfo("Pacific/Auckland")
NOW = datetime(2026, 3, 31, 16, 30, tzinfo=AUCKLAND)
TODAY = NOW.date()
_ANALYTES = {analyte.key: analyte for analyte in vars(analytes).values() if isinstance(analyte, analytes.Analyte)}
_numbers = iter(range(1, 1_000_000))


def chart(*facts: Any, **more: Any) -> PatientContext:
    """A context out of facts of any kind; measurements newest first, as `gather` leaves them."""
    measured = sorted((fact for fact in facts if isinstance(fact, Observed)), key=lambda fact: fact.when.earliest)[::-1]
    analytes_found = dict.fromkeys(fact.analyte for fact in measured)
    return PatientContext(
        patient=more.pop("patient", person()),
        now=NOW,
        observations={key: tuple(fact for fact in measured if fact.analyte == key) for key in analytes_found},
        diagnoses=tuple(fact for fact in facts if isinstance(fact, Diagnosis)),
        drugs=tuple(fact for fact in facts if isinstance(fact, Drug)),
        treatments=tuple(fact for fact in facts if isinstance(fact, Treatment)),
        stays=tuple(fact for fact in facts if isinstance(fact, Stay)),
        orders=tuple(fact for fact in facts if isinstance(fact, Order)),
        **more,
    )


def person(**more: Any) -> Person:
    return Person(**{"id": "1", "birth_date": when("1974-01-15"), "sex": "female", **more})


def aged(years: int, *, days: int = 0) -> Person:
    """Someone whose birthday was `days` ago (in as many days, if negative)."""
    birthday = months_before(TODAY - timedelta(days=days), 12 * years)
    return person(birth_date=when(birthday.isoformat()))


def when(text: str) -> When:
    found = parse(text, AUCKLAND)
    assert found is not None, text
    return found


def months_ago(months: int, *, days: int = 0) -> str:
    """The day `months` ago, or `days` later than that."""
    return (months_before(TODAY, months) + timedelta(days=days)).isoformat()


def days_ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def measured(analyte: str, value: float, unit: str = "", *, at: str = "2026-03-01", encounter: str = "") -> Observed:
    kind = _ANALYTES[analyte]
    canonical = kind.convert(value, unit or kind.unit)
    assert canonical is not None, unit
    return Observed(
        analyte=analyte,
        code=sorted(kind.codes)[0],
        quantity=Quantity(value=canonical, unit=kind.unit),
        reported=Quantity(value=value, unit=unit or kind.unit),
        when=when(at),
        source=f"Observation/{next(_numbers)}",
        encounter=encounter or None,
    )


def hba1c(value: float, unit: str = "%", *, at: str = "2026-03-01") -> Observed:
    return measured("hba1c", value, unit, at=at)


def fasting(value: float, unit: str = "mg/dL", *, at: str = "2026-03-01", encounter: str = "") -> Observed:
    return measured("fasting_glucose", value, unit, at=at, encounter=encounter)


def glucose(value: float, unit: str = "mg/dL", *, at: str = "2026-03-01", encounter: str = "") -> Observed:
    return measured("glucose", value, unit, at=at, encounter=encounter)


def _coded(code: str, *, system: str = SNOMED, **more: Any) -> dict[str, Any]:
    start, end = more.pop("start", None), more.pop("end", None)
    return {
        "codes": frozenset({Code(system, code)}) if code else frozenset(),
        "text": "",
        "source": f"Some/{next(_numbers)}",
        "start": when(start) if start else None,
        "end": when(end) if end else None,
        **more,
    }


def diagnosis(code: str, **more: Any) -> Diagnosis:
    return Diagnosis(**{"status": "active", **_coded(code, **more)})


def drug(text: str, code: str = "", **more: Any) -> Drug:
    return Drug(**{"status": "active", **_coded(code, **more), "text": text})


def treatment(code: str, **more: Any) -> Treatment:
    return Treatment(**{"status": "completed", **_coded(code, **more)})


def stay(code: str, **more: Any) -> Stay:
    return Stay(**{"status": "finished", **_coded(code, **{"system": ACT_CODE, **more})})


def order(code: str = "4548-4", **more: Any) -> Order:
    return Order(**{"status": "active", **_coded(code, **{"system": LOINC, **more})})

"""Small charts for the tests: a woman of 57 in Auckland, on an afternoon when London is still at breakfast."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cds import analytes
from cds.codes import DCM, RXNORM, Code
from cds.context import Ordering, PatientContext
from cds.dates import months_before
from cds.facts import Drug, Imaging, Observed, Person, Quantity, When
from cds.fhir.dates import parse

AUCKLAND = ZoneInfo("Pacific/Auckland")
NOW = datetime(2026, 3, 31, 16, 30, tzinfo=AUCKLAND)
TODAY = NOW.date()
_ANALYTES = {"egfr": analytes.EGFR, "creatinine": analytes.CREATININE}
_numbers = iter(range(1, 1_000_000))


def when(text: str) -> When:
    found = parse(text, AUCKLAND)
    assert found is not None, text
    return found


def days_ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def hours_ago(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).isoformat()


def months_ago(months: int, *, days: int = 0) -> str:
    """The day `months` ago, or `days` later than that."""
    return (months_before(TODAY, months) + timedelta(days=days)).isoformat()


def egfr(value: float, *, at: str = "2026-03-01", comparator: str = "") -> Observed:
    return _measured("egfr", value, analytes.EGFR.unit, at=at, comparator=comparator)


def creatinine(value: float, unit: str = "mg/dL", *, at: str = "2026-03-01") -> Observed:
    return _measured("creatinine", value, unit, at=at)


def _measured(analyte: str, value: float, unit: str, *, at: str, comparator: str = "") -> Observed:
    kind = _ANALYTES[analyte]
    canonical = kind.convert(value, unit)
    assert canonical is not None, unit
    return Observed(
        analyte=analyte,
        code=sorted(kind.codes)[0],
        quantity=Quantity(value=canonical, unit=kind.unit, comparator=comparator),
        reported=Quantity(value=value, unit=unit, comparator=comparator),
        when=when(at),
        source=f"Observation/{next(_numbers)}",
    )


def drug(text: str = "Metformin 500 mg", code: str = "", *, status: str = "active", at: str = "2026-01-10") -> Drug:
    codes = frozenset({Code(RXNORM, code)}) if code else frozenset[Code]()
    return Drug(
        codes=codes,
        text=text,
        status=status,
        source=f"MedicationRequest/{next(_numbers)}",
        start=when(at) if at else None,
    )


def imaging(text: str = "CT abdomen W contrast IV", modality: str = "CT", *, at: str) -> Imaging:
    return Imaging(
        codes=frozenset({Code(DCM, modality)}),
        text=text,
        status="available",
        source=f"ImagingStudy/{next(_numbers)}",
        start=when(at),
    )


def person(**more: Any) -> Person:
    return Person(**{"id": "1", "birth_date": when("1968-06-15"), "sex": "female", **more})


def prescribing(*facts: Observed | Drug | Imaging, draft: Drug | None = None, **more: Any) -> PatientContext:
    """Metformin is being signed."""
    return chart(*facts, ordering=Ordering(drugs=(draft or drug(status="draft"),)), **more)


def chart(*facts: Observed | Drug | Imaging, **more: Any) -> PatientContext:
    measured = sorted((fact for fact in facts if isinstance(fact, Observed)), key=lambda fact: fact.when.earliest)[::-1]
    return PatientContext(
        patient=more.pop("patient", person()),
        now=NOW,
        observations={key: tuple(fact for fact in measured if fact.analyte == key) for key in _ANALYTES},
        drugs=tuple(fact for fact in facts if isinstance(fact, Drug)),
        imaging=tuple(fact for fact in facts if isinstance(fact, Imaging)),
        **more,
    )

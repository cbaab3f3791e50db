"""FHIR Observations to numbers with units: converted by analyte, a limit kept as a limit, nothing guessed."""

from __future__ import annotations

from typing import Any

import pytest

from cds import analytes
from cds.facts import Quantity
from cds.needs import Need
from tests.cds.fhir.reading import (
    KIDNEYS,
    LABS,
    VITALS,
    concept,
    observation,
    only,
    quantity,
    read,
    reason,
)


# --- Values and units
@pytest.mark.parametrize(
    ("code", "value", "unit", "canonical"),
    [
        ("2345-7", 99, "mg/dL", 99),
        ("14749-6", 5.5, "mmol/L", 99.0858),
        ("2345-7", 99, "mg/dl", 99),
        ("4548-4", 6.1, "%", 6.1),
        ("59261-8", 43, "mmol/mol", 6.0845),
        ("14647-2", 5.0, "mmol/L", 193.325),  # 38.67 and not 18
    ],
)
def test_units_are_converted_per_analyte(code: str, value: float, unit: str, canonical: float) -> None:
    fact = only(read(LABS, observation(code, value, unit)))
    assert fact.quantity.value == pytest.approx(canonical, abs=1e-3)
    assert (fact.reported.value, fact.reported.unit) == (value, {"mg/dl": "mg/dL"}.get(unit, unit))


@pytest.mark.parametrize(
    ("code", "value", "unit", "canonical"),
    [
        ("29463-7", 180, "[lb_av]", 81.647),
        ("29463-7", 82000, "g", 82),
        ("8302-2", 70, "[in_i]", 177.8),
        ("8302-2", 1.78, "m", 178),
        ("8280-0", 40, "[in_i]", 101.6),
        ("56086-2", 101, "cm", 101),
    ],
)
def test_pounds_and_inches_are_converted(code: str, value: float, unit: str, canonical: float) -> None:
    assert only(read(VITALS, observation(code, value, unit))).quantity.value == pytest.approx(canonical, abs=1e-3)


@pytest.mark.parametrize(
    ("code", "value", "unit", "canonical"),
    [
        ("98979-8", 38, "mL/min/{1.73_m2}", 38),
        ("33914-3", 38, "mL/min/1.73m2", 38),
        ("33914-3", 38, "mL/min", 38),
        ("2160-0", 1.58, "mg/dL", 1.58),
        ("14682-9", 88.4, "umol/L", 1.0),
        ("14682-9", 88.4, "µmol/L", 1.0),
    ],
)
def test_kidney_values_are_understood_in_each_usual_unit(code: str, value: float, unit: str, canonical: float) -> None:
    found = observation(code, valueQuantity={"value": value, "unit": unit})
    assert only(read(KIDNEYS, found)).quantity.value == pytest.approx(canonical)


@pytest.mark.parametrize("comparator", [">", ">=", "<", "<="])
def test_a_limit_is_kept_as_a_limit_where_the_analyte_allows_it(comparator: str) -> None:
    found = observation("98979-8", valueQuantity={**quantity(60, "mL/min/{1.73_m2}"), "comparator": comparator})
    assert only(read(KIDNEYS, found)).quantity.comparator == comparator


@pytest.mark.parametrize(
    ("text", "comparator", "value"),
    [
        (">60", ">", 60),
        ("< 15", "<", 15),
        ("<=30", "<=", 30),
        ("25", "", 25),
        ("> 60 mL/min/1.73m2", ">", 60),
    ],
)
def test_an_egfr_may_be_written_as_text(text: str, comparator: str, value: float) -> None:
    found = observation("98979-8", valueQuantity=None, valueString=text)
    assert only(read(KIDNEYS, found)).quantity == Quantity(value=value, unit=analytes.EGFR.unit, comparator=comparator)


@pytest.mark.parametrize("text", ["see note", "30-45", "25,5", ">60 %", "-5", "1e9", ""])
def test_any_other_text_is_no_number(text: str) -> None:
    assert read(KIDNEYS, observation("98979-8", valueQuantity=None, valueString=text)).observed == []


@pytest.mark.parametrize(("need", "code"), [(LABS, "4548-4"), (LABS, "2345-7"), (KIDNEYS, "2160-0")])
def test_where_the_code_does_not_fix_the_unit_a_text_is_not_used(need: Need, code: str) -> None:
    found = observation(code, valueQuantity=None, valueString=">6.5")
    assert reason(read(need, found)).endswith("no numeric value")


def test_what_cannot_be_used_keeps_its_date() -> None:
    (issue,) = read(KIDNEYS, observation("98979-8", 25, "mL/min", status="preliminary")).issues
    assert issue.when is not None
    assert (issue.analyte, issue.when.text) == ("egfr", "2025-03-01T09:00:00Z")


def test_what_was_cancelled_is_no_newer_result() -> None:
    (issue,) = read(KIDNEYS, observation("98979-8", 25, "mL/min", status="cancelled")).issues
    assert issue.when is None


def test_a_comparator_that_nobody_knows_is_not_used() -> None:
    found = observation("98979-8", valueQuantity={**quantity(60, "mL/min/{1.73_m2}"), "comparator": "ad"})
    assert read(KIDNEYS, found).observed == []


@pytest.mark.parametrize("unit", ["mg/dl", "mg/dL", "MG/DL"])
def test_a_unit_without_a_ucum_code_is_read_by_its_spelling(unit: str) -> None:
    found = observation("2345-7", valueQuantity={"value": 99, "unit": unit})
    assert only(read(LABS, found)).quantity.unit == "mg/dL"


def test_a_value_without_a_unit_is_refused() -> None:
    assert reason(read(LABS, observation("2345-7", 5.5, None))) == "Glucose (plasma or serum): no unit"


def test_an_unknown_unit_is_refused_and_named() -> None:
    assert "'mg/L' not understood" in reason(read(LABS, observation("2345-7", 99, "mg/L")))
    assert "not understood" in reason(read(LABS, observation("2093-3", 99, "mmol/mol")))


def test_an_hba1c_of_42_percent_is_refused_and_not_taken_for_mmol_per_mol() -> None:
    assert reason(read(LABS, observation(value=42))) == "HbA1c: implausible value 42 %"


def test_a_limit_stays_a_limit_where_it_can_decide() -> None:
    censored = observation(valueQuantity={**quantity(14, "%"), "comparator": ">"})
    (found,) = read(LABS, censored).observed
    assert (found.reported.comparator, found.reported.value) == (">", 14)


@pytest.mark.parametrize(
    "value",
    [
        {"valueQuantity": None, "dataAbsentReason": concept("unknown")},
        {"valueQuantity": None, "valueString": "see note"},
        {"valueQuantity": {"unit": "%"}},
    ],
)
def test_no_number_is_missing_and_not_zero(value: dict[str, Any]) -> None:
    assert reason(read(LABS, observation(**value))) == "HbA1c: no numeric value"


# --- Blood pressure
def test_a_pressure_panel_is_read_by_its_components() -> None:
    parts = [
        {"code": concept("8480-6"), "valueQuantity": quantity(138, "mm[Hg]")},
        {"code": concept("8462-4"), "valueQuantity": quantity(84, "mmHg")},
    ]
    found = read(VITALS, observation("85354-9", valueQuantity=None, component=parts))
    assert [(fact.analyte, fact.quantity.value) for fact in found.observed] == [("systolic", 138), ("diastolic", 84)]
    assert found.issues == []


def test_a_stand_alone_pressure_is_read() -> None:
    assert only(read(VITALS, observation("8480-6", 138, "mm[Hg]"))).analyte == "systolic"


# --- When
@pytest.mark.parametrize(
    "times",
    [
        {"effectiveDateTime": "2025-03-01"},
        {"effectiveDateTime": None, "effectiveInstant": "2025-03-01T10:00:00+13:00"},
        {"effectiveDateTime": None, "effectivePeriod": {"start": "2025-02-01", "end": "2025-03-01"}},
        {"effectiveDateTime": None, "effectivePeriod": {"start": "2025-03-01"}},
        {"effectiveDateTime": None, "issued": "2025-03-01T10:00:00+13:00"},
    ],
)
def test_the_date_is_found_in_any_of_its_places(times: dict[str, Any]) -> None:
    assert only(read(LABS, observation(**times))).when.day.isoformat() == "2025-03-01"


@pytest.mark.parametrize("text", [None, "yesterday", "2025-02-30"])
def test_a_result_without_a_date_is_said_and_not_used(text: str | None) -> None:
    assert reason(read(LABS, observation(effectiveDateTime=text))) == "HbA1c: no usable date"

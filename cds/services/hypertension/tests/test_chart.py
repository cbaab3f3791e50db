"""Which pressures count as a reading, who is left out, and after how long a measurement is due."""

from __future__ import annotations

from typing import Any

import pytest

from cds.codes import ICD10CM
from cds.facts import Issue, Person
from cds.services.diabetes.tests.charts import (
    aged,
    chart,
    days_ago,
    diagnosis,
    drug,
    measured,
    months_ago,
    person,
    stay,
)
from cds.services.hypertension.chart import due_after_months, exclusion, readings, uncoded_hypertension, unusable
from cds.services.hypertension.tests.charts import pressure


def numbers(*facts: Any) -> list[tuple[float | None, float | None]]:
    def value(fact: Any) -> float | None:
        return fact.quantity.value if fact else None

    return [(value(one.systolic), value(one.diastolic)) for one in readings(chart(*facts))]


# --- Readings
def test_the_newest_comes_first() -> None:
    assert numbers(*pressure(120, 70, at="2025-01-01"), *pressure(130, 80, at="2026-01-01")) == [(130, 80), (120, 70)]


def test_a_day_counts_as_its_mean() -> None:
    first = pressure(150, 96, at="2026-03-01T09:00:00+13:00")
    second = pressure(139, 89, at="2026-03-01T09:05:00+13:00")
    assert numbers(*first, *second) == [(144.5, 92.5)]


def test_contradictory_numbers_are_no_reading() -> None:
    assert numbers(*pressure(80, 120)) == []
    assert numbers(*pressure(80, 120), *pressure(128, 78, at="2026-02-01")) == [(128, 78)]


def test_one_number_alone_is_a_reading() -> None:
    assert numbers(measured("systolic", 150)) == [(150, None)]


def test_what_was_measured_in_hospital_is_no_reading() -> None:
    ward = stay("IMP", start="2026-02-27", end="2026-03-03")
    assert numbers(ward, *pressure(170, 100)) == []


# --- Who is left out
def left_out(*facts: Any, **more: Any) -> str:
    found = exclusion(chart(*facts, **more))
    return found.rule if found else ""


def test_somebody_without_anything_is_asked_about() -> None:
    assert left_out() == ""


@pytest.mark.parametrize("code", ["I10", "I11.9", "I13.0", "I15.9", "I16.0"])
def test_hypertension_on_record_is_known(code: str) -> None:
    assert left_out(diagnosis(code, system=ICD10CM)) == "diagnosed"


@pytest.mark.parametrize("code", ["38341003", "59621000"])
def test_hypertension_in_snomed_is_known_even_when_resolved(code: str) -> None:
    assert left_out(diagnosis(code, status="resolved")) == "diagnosed"


@pytest.mark.parametrize("code", ["I27.0", "K76.6", "H40.05", "G93.2", "R03.0"])
def test_other_pressures_and_a_single_high_reading_are_no_hypertension(code: str) -> None:
    assert left_out(diagnosis(code, system=ICD10CM)) == ""


def test_a_suspicion_is_no_diagnosis() -> None:
    assert left_out(diagnosis("38341003", certain=False)) == ""


@pytest.mark.parametrize("name", ["Lisinopril 10 MG Oral Tablet", "amlodipine 5 mg", "Metoprolol succinate ER 25 mg"])
def test_who_takes_a_drug_that_lowers_the_pressure_is_treated(name: str) -> None:
    assert left_out(drug(name)) == "treated"


@pytest.mark.parametrize("code", ["C09AA03", "C07AB02", "C08CA01", "C03AA03"])
def test_a_drug_is_known_by_its_atc_code(code: str) -> None:
    assert left_out(drug("tablet", code, system="http://www.whocc.no/atc")) == "treated"


def test_an_old_prescription_and_one_for_the_scalp_are_no_treatment() -> None:
    assert left_out(drug("lisinopril", status="completed", start=months_ago(13))) == ""
    assert left_out(drug("minoxidil 5 % topical solution")) == ""


@pytest.mark.parametrize(
    ("patient", "rule"),
    [(person(deceased=True), "deceased"), (aged(17), "child"), (person(birth_date=None), "age-unknown")],
)
def test_the_dead_children_and_people_without_an_age_are_left_out(patient: Person, rule: str) -> None:
    assert left_out(patient=patient) == rule


def test_pregnancy_hospice_and_hospital_are_left_out() -> None:
    assert left_out(diagnosis("77386006", start=days_ago(30))) == "pregnant"
    assert left_out(diagnosis("385763009", start=days_ago(30))) == "hospice"
    assert left_out(stay("IMP", status="in-progress", start=days_ago(1))) == "in-hospital"


# --- When a measurement is due
YOUNG = aged(30)


def months(*facts: Any, patient: Person = YOUNG) -> int:
    context = chart(*facts, patient=patient)
    return due_after_months(context, next(iter(readings(context)), None))


def test_the_young_without_a_risk_are_measured_every_three_years() -> None:
    assert months(*pressure(118, 76), measured("bmi", 24.9)) == 36


@pytest.mark.parametrize(
    ("facts", "patient"),
    [
        (pressure(118, 76), aged(40)),
        ([measured("bmi", 25)], YOUNG),
        (pressure(130, 76), YOUNG),
        (pressure(118, 85), YOUNG),
        (pressure(118, 76), person(birth_date=YOUNG.birth_date, race_codes=("2054-5",))),
    ],
)
def test_who_is_at_risk_is_measured_every_year(facts: list[Any], patient: Person) -> None:
    assert months(*facts, patient=patient) == 12


def test_other_origins_do_not_count_as_black() -> None:
    assert months(patient=person(birth_date=YOUNG.birth_date, race_codes=("2106-3", "2028-9", "2076-8"))) == 36


# --- What is said beside the answer
def test_an_entry_without_a_code_is_worth_a_look() -> None:
    assert uncoded_hypertension(chart(diagnosis("", text="Arterial hypertension")))
    assert not uncoded_hypertension(chart(diagnosis("", text="Pulmonary hypertension")))
    assert not uncoded_hypertension(chart(diagnosis("38341003", text="Hypertension")))


def test_an_unusable_pressure_is_no_all_clear() -> None:
    issue = Issue(need="vitals", reason="Systolic pressure: no unit", analyte="systolic")
    assert "could not be used" in unusable(chart(issues=(issue,)))
    assert unusable(chart(*pressure(120, 70), issues=(issue,))) == ""
    assert "hypertension may be on record" in unusable(chart(issues=(Issue(need="conditions", reason="shape"),)))

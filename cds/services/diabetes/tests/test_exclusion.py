"""For whom the question does not arise."""

from __future__ import annotations

from typing import Any

import pytest

from cds.codes import ATC, ICD9CM, ICD10CM, ICD10WHO, RXNORM, SNOMED
from cds.facts import Person
from cds.services.diabetes.chart import exclusion
from cds.services.diabetes.tests.charts import (
    aged,
    chart,
    days_ago,
    diagnosis,
    drug,
    months_ago,
    order,
    person,
    stay,
    treatment,
    when,
)


def rule(*facts: Any, **more: Any) -> str:
    found = exclusion(chart(*facts, **more))
    return found.rule if found else ""


def test_nothing_on_record_excludes_nobody() -> None:
    assert rule() == ""


# --- Diabetes on the record
@pytest.mark.parametrize(
    ("system", "code"),
    [
        (ICD9CM, "250.00"),
        (ICD9CM, "25002"),
        (ICD9CM, "249.00"),
        (ICD10CM, "E08.9"),
        (ICD10CM, "E09.65"),
        (ICD10CM, "E10.9"),
        (ICD10CM, "E11.9"),
        (ICD10CM, "E119"),
        (ICD10CM, "e11.9"),
        (ICD10CM, "E13.9"),
        (ICD10CM, "O24.111"),
        (ICD10WHO, "E14.9"),
        (ICD10WHO, "E10"),
        (SNOMED, "44054006"),
        (SNOMED, "46635009"),
        (SNOMED, "73211009"),
        (SNOMED, "368581000119106"),
        (SNOMED, "161445009"),
    ],
)
def test_a_diagnosis_of_diabetes_is_found(system: str, code: str) -> None:
    assert rule(diagnosis(code, system=system)) == "diagnosed"


@pytest.mark.parametrize("status", ["active", "recurrence", "remission", "resolved", "inactive", ""])
def test_diabetes_counts_in_every_clinical_status(status: str) -> None:
    assert rule(diagnosis("44054006", status=status)) == "diagnosed"


def test_a_provisional_diagnosis_does_not_count() -> None:
    assert rule(diagnosis("44054006", certain=False)) == ""


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (ICD10CM, "E23.2"),  # diabetes insipidus
        (ICD9CM, "253.5"),
        (SNOMED, "15771004"),
        (ICD10CM, "Z83.3"),  # family history
        (SNOMED, "160303001"),
        (ICD10CM, "Z13.1"),  # screening
        (SNOMED, "395123002"),
        (ICD10CM, "Z91.89"),  # at risk
        (ICD10CM, "R73.03"),  # prediabetes
        (SNOMED, "714628002"),
        (ICD10CM, "Z86.32"),  # gestational diabetes in the past
        (ICD10CM, "R73.9"),  # hyperglycaemia
        (SNOMED, "80394007"),
        ("http://hospital.example/codes", "E11.9"),  # another system's code
        (ICD10WHO, "E08"),  # means something else than in ICD-10-CM
    ],
)
def test_what_is_not_diabetes_does_not_match(system: str, code: str) -> None:
    assert rule(diagnosis(code, system=system)) == ""


def test_the_page_says_which_diagnosis() -> None:
    found = exclusion(chart(diagnosis("44054006", text="Type 2 diabetes")))
    assert found is not None
    assert found.detail == "Type 2 diabetes"


# --- Drugs
@pytest.mark.parametrize(
    "text",
    [
        "metFORMIN HCl 500 MG Oral Tablet",
        "Insulin Lispro 100 UNT/ML [Humalog]",
        "empagliflozin-linagliptin 10-5 mg",
        "Ozempic 1 mg/dose pen",
    ],
)
def test_a_glucose_lowering_drug_is_known_by_its_text_alone(text: str) -> None:
    assert rule(drug(text)) == "treated"


@pytest.mark.parametrize(("system", "code"), [(RXNORM, "6809"), (RXNORM, "861007"), (ATC, "A10BA02"), (ATC, "A10AB")])
def test_a_glucose_lowering_drug_is_known_by_its_code_alone(system: str, code: str) -> None:
    assert rule(drug("", code, system=system)) == "treated"


def test_the_page_says_which_drug() -> None:
    found = exclusion(chart(drug("Metformin 500 mg")))
    assert found is not None
    assert found.detail == "Metformin 500 mg"


@pytest.mark.parametrize("text", ["Lisinopril 10 MG", "Bromocriptine 2.5 MG", "Colesevelam", "Levothyroxine", ""])
def test_another_drug_excludes_nobody(text: str) -> None:
    assert rule(drug(text)) == ""


def test_a_drug_that_ended_counts_for_twelve_months() -> None:
    assert rule(drug("metformin", status="completed", start=months_ago(12))) == "treated"
    assert rule(drug("metformin", status="completed", start=months_ago(12, days=-1))) == ""


def test_an_active_drug_counts_however_old() -> None:
    assert rule(drug("metformin", start="2011-01-01")) == "treated"


@pytest.mark.parametrize("status", ["cancelled", "draft", "entered-in-error", "not-taken"])
def test_a_drug_never_taken_does_not_count(status: str) -> None:
    assert rule(drug("metformin", status=status, start=days_ago(5))) == ""


# --- Age and life
def test_eighteen_is_the_youngest() -> None:
    assert rule(patient=aged(18, days=-1)) == "child"
    assert rule(patient=aged(18)) == ""


def test_a_birth_year_alone_means_the_youngest_age_that_it_allows() -> None:
    assert rule(patient=person(birth_date=when("2008"))) == "child"
    assert rule(patient=person(birth_date=when("2007"))) == ""


@pytest.mark.parametrize("somebody", [person(birth_date=None), person(birth_date=when("1850-01-01"))])
def test_no_credible_birth_date_no_answer(somebody: Person) -> None:
    assert rule(patient=somebody) == "age-unknown"


def test_the_dead_are_left_alone() -> None:
    assert rule(patient=person(deceased=True)) == "deceased"


# --- Pregnancy and 12 weeks after
@pytest.mark.parametrize(
    ("system", "code"),
    [(SNOMED, "77386006"), (SNOMED, "72892002"), (ICD10CM, "O09.90"), (ICD10CM, "Z34.90"), (ICD9CM, "V22.2")],
)
def test_a_pregnancy_excludes(system: str, code: str) -> None:
    assert rule(diagnosis(code, system=system, start=days_ago(100))) == "pregnant"


def test_twelve_weeks_after_a_pregnancy_the_question_is_asked_again() -> None:
    assert rule(diagnosis("72892002", status="resolved", start=days_ago(300), end=days_ago(84))) == "pregnant"
    assert rule(diagnosis("72892002", status="resolved", start=days_ago(300), end=days_ago(85))) == ""


def test_twelve_weeks_after_a_delivery_the_question_is_asked_again() -> None:
    assert rule(treatment("236973005", start=days_ago(84))) == "pregnant"
    assert rule(treatment("236973005", start=days_ago(85))) == ""


def test_a_delivery_ends_the_pregnancy_that_nobody_closed() -> None:
    pregnancy = diagnosis("77386006", start=days_ago(300))
    assert rule(pregnancy) == "pregnant"
    assert rule(pregnancy, diagnosis("Z37.0", system=ICD10CM, start=days_ago(85))) == ""
    assert rule(pregnancy, diagnosis("60001007", start=days_ago(85))) == ""  # "not pregnant"


def test_an_open_pregnancy_does_not_last_for_ever() -> None:
    assert rule(diagnosis("77386006", start=days_ago(294 + 84))) == "pregnant"
    assert rule(diagnosis("77386006", start=days_ago(294 + 85))) == ""


def test_a_pregnancy_without_a_date_counts_while_it_is_open() -> None:
    assert rule(diagnosis("77386006")) == "pregnant"
    assert rule(diagnosis("77386006", status="resolved")) == ""


def test_a_childbirth_without_a_date_excludes_nobody() -> None:
    assert rule(treatment("236973005")) == ""


# --- Hospice
def test_hospice_care_within_twelve_months_excludes() -> None:
    assert rule(treatment("385763009", start=months_ago(12))) == "hospice"
    assert rule(treatment("385763009", start=months_ago(12, days=-1))) == ""


def test_hospice_care_that_goes_on_excludes_however_long() -> None:
    assert rule(stay("305336008", system=SNOMED, status="in-progress", start="2023-01-01")) == "hospice"
    assert rule(diagnosis("170935008", start="2023-01-01")) == "hospice"


def test_a_hospice_order_that_was_revoked_excludes_nobody() -> None:
    assert rule(order("385763009", system=SNOMED, start=days_ago(9))) == "hospice"
    assert rule(order("385763009", system=SNOMED, status="revoked", start=days_ago(9))) == ""


# --- In hospital
@pytest.mark.parametrize("kind", ["IMP", "ACUTE", "NONAC", "EMER", "OBSENC", "SS"])
def test_an_open_hospital_encounter_excludes(kind: str) -> None:
    assert rule(stay(kind, status="in-progress", start=days_ago(1))) == "in-hospital"


@pytest.mark.parametrize("kind", ["AMB", "VR", "HH"])
def test_an_outpatient_encounter_excludes_nobody(kind: str) -> None:
    assert rule(stay(kind, status="in-progress", start=days_ago(1))) == ""


def test_a_finished_hospital_stay_excludes_nobody() -> None:
    assert rule(stay("IMP", start=days_ago(9), end=days_ago(5))) == ""


def test_the_encounter_that_the_ehr_named_decides() -> None:
    ward = stay("IMP", status="in-progress", source="Encounter/ward")
    clinic = stay("AMB", status="in-progress", source="Encounter/clinic")
    assert rule(ward, clinic, encounter_id="clinic") == ""
    assert rule(ward, clinic, encounter_id="ward") == "in-hospital"
    assert rule(ward, clinic, encounter_id="unknown") == "in-hospital"

"""The guideline's criteria: each cut-off in both units, each look-back to the day."""

from __future__ import annotations

from typing import Any

import pytest

from cds.codes import CPT, ICD9CM, ICD10CM
from cds.context import PatientContext
from cds.services.diabetes import criteria
from cds.services.diabetes.chart import hba1c_doubts, hba1c_unreliable, trusted_hba1c
from cds.services.diabetes.tests.charts import (
    TODAY,
    chart,
    days_ago,
    diagnosis,
    drug,
    fasting,
    glucose,
    hba1c,
    measured,
    months_ago,
    stay,
    treatment,
)


def rule(*facts: Any) -> str:
    found = criteria.finding(chart(*facts))
    return found.rule if found else ""


def alert(*facts: Any) -> bool:
    found = criteria.finding(chart(*facts))
    assert found is not None
    return found.alert


def test_an_empty_record_leaves_the_question_open() -> None:
    assert rule() == ""


# --- HbA1c
@pytest.mark.parametrize(("value", "unit"), [(6.5, "%"), (48, "mmol/mol"), (14.2, "%")])
def test_one_hba1c_of_diabetes_is_to_be_confirmed(value: float, unit: str) -> None:
    assert rule(hba1c(value, unit)) == "confirm-hba1c"


@pytest.mark.parametrize(("value", "unit"), [(6.4, "%"), (6.49, "%"), (47, "mmol/mol"), (5.7, "%"), (39, "mmol/mol")])
def test_below_that_it_is_prediabetes(value: float, unit: str) -> None:
    assert rule(hba1c(value, unit)) == "prediabetes"


@pytest.mark.parametrize(("value", "unit"), [(5.6, "%"), (38, "mmol/mol")])
def test_below_that_it_is_normal(value: float, unit: str) -> None:
    assert rule(hba1c(value, unit)) == "recently-normal"
    assert not alert(hba1c(value, unit))


def test_an_hba1c_of_diabetes_counts_however_old() -> None:
    assert rule(hba1c(6.6, at="1999")) == "confirm-hba1c"


def test_a_newer_lower_value_never_hides_it() -> None:
    assert rule(hba1c(6.6, at="2019-05-01"), hba1c(5.4, at="2026-03-01")) == "confirm-hba1c"
    old_pair = (hba1c(6.6, at="2019-05-01"), hba1c(6.8, at="2019-09-01"))
    assert rule(*old_pair, hba1c(5.4, at="2026-03-01")) == "criteria-twice"


def test_two_days_meet_the_criteria_twice() -> None:
    assert rule(hba1c(6.5, at="2026-01-05"), hba1c(48, "mmol/mol", at="2026-02-05")) == "criteria-twice"


def test_two_results_of_one_day_count_once() -> None:
    assert rule(hba1c(6.6, at="2026-01-05"), hba1c(49, "mmol/mol", at="2026-01-05")) == "confirm-hba1c"


def test_one_day_is_the_day_of_the_clinic_and_not_of_greenwich() -> None:
    morning, night = hba1c(6.6, at="2026-01-04T22:00:00Z"), hba1c(6.6, at="2026-01-05T08:00:00Z")
    assert rule(morning, night) == "confirm-hba1c"
    assert rule(morning, hba1c(6.6, at="2026-01-04T08:00:00Z")) == "criteria-twice"


def test_a_partial_date_that_may_be_the_same_day_counts_once() -> None:
    assert rule(hba1c(6.6, at="2026-01-05"), hba1c(6.6, at="2026-01")) == "confirm-hba1c"
    assert rule(hba1c(6.6, at="2026-01-05"), hba1c(6.6, at="2025")) == "criteria-twice"


def test_thousands_of_results_of_one_day_are_one_and_the_newest_of_another_day_is_the_evidence() -> None:
    many = [hba1c(6.6, at=f"2026-01-05T{hour:02}:{minute:02}:00Z") for hour in range(10) for minute in range(60)]
    assert rule(*many * 20) == "confirm-hba1c"
    found = criteria.finding(chart(*many * 20, hba1c(6.7, at="2025-01-05"), hba1c(6.8, at="2024-01-05")))
    assert found is not None
    assert [fact.when.text for fact in found.evidence] == ["2026-01-05T09:59:00Z", "2025-01-05"]


def test_the_two_that_met_the_criteria_are_the_evidence() -> None:
    found = criteria.finding(chart(hba1c(6.6, at="2020-01-05"), fasting(130, at="2021-01-05"), glucose(90)))
    assert found is not None
    assert [fact.analyte for fact in found.evidence] == ["hba1c", "fasting_glucose"]


# --- Prediabetes and normal values in time
def test_prediabetes_is_retested_after_twelve_months() -> None:
    assert rule(hba1c(6.0, at=months_ago(12, days=1))) == "prediabetes"
    assert rule(hba1c(6.0, at=months_ago(12))) == "prediabetes-retest"


def test_known_prediabetes_is_not_said_again_before_that() -> None:
    known = diagnosis("R73.03", system=ICD10CM)
    assert alert(hba1c(6.0))
    assert not alert(hba1c(6.0), known)
    assert alert(hba1c(6.0, at=months_ago(12)), known)


def test_the_newest_value_says_whether_it_is_prediabetes() -> None:
    assert rule(hba1c(6.0, at="2025-12-01"), hba1c(5.5, at="2026-03-01")) == "recently-normal"


def test_a_normal_value_silences_for_thirty_six_months() -> None:
    assert rule(hba1c(5.6, at=months_ago(36, days=1))) == "recently-normal"
    assert rule(hba1c(5.6, at=months_ago(36))) == ""


# --- Fasting glucose
@pytest.mark.parametrize(("value", "unit"), [(126, "mg/dL"), (7.0, "mmol/L")])
def test_one_fasting_glucose_of_diabetes_is_to_be_confirmed(value: float, unit: str) -> None:
    assert rule(fasting(value, unit)) == "confirm-fasting-glucose"


@pytest.mark.parametrize(("value", "unit"), [(125, "mg/dL"), (125.9, "mg/dL"), (6.9, "mmol/L")])
def test_a_lower_fasting_glucose_leaves_the_question_open(value: float, unit: str) -> None:
    assert rule(fasting(value, unit)) == ""


def test_hba1c_and_fasting_glucose_confirm_each_other() -> None:
    assert rule(hba1c(6.5), fasting(126)) == "criteria-twice"
    assert rule(hba1c(6.4), fasting(126)) == "confirm-fasting-glucose"


def test_generic_glucose_is_never_taken_as_fasting() -> None:
    assert rule(glucose(180)) == ""
    assert rule(hba1c(6.5), glucose(180)) == "confirm-hba1c"


@pytest.mark.parametrize("value", [126, 250, 600])
def test_whole_blood_is_never_a_criterion(value: float) -> None:
    assert rule(measured("blood_glucose", value)) == ""
    assert rule(hba1c(6.5), measured("blood_glucose", value)) == "confirm-hba1c"


# --- Any glucose
@pytest.mark.parametrize(
    ("value", "unit", "said"), [(200, "mg/dL", True), (199, "mg/dL", False), (11.1, "mmol/L", True)]
)
def test_a_very_high_glucose_asks_for_symptoms(value: float, unit: str, said: bool) -> None:
    assert rule(glucose(value, unit)) == ("ask-symptoms" if said else "")


def test_a_very_high_glucose_matters_for_twelve_months() -> None:
    assert rule(glucose(240, at=months_ago(12))) == "ask-symptoms"
    assert rule(glucose(240, at=months_ago(12, days=-1))) == ""


# --- Glucose that does not count
def test_glucose_of_a_hospital_encounter_is_dropped() -> None:
    ward = stay("EMER", source="Encounter/er", start="2026-02-01")
    assert rule(ward, fasting(180, at="2026-02-20", encounter="https://ehr.example/fhir/Encounter/er")) == ""
    assert rule(ward, fasting(180, at="2026-02-20", encounter="Encounter/er/_history/2")) == ""
    assert rule(ward, fasting(180, at="2026-02-20", encounter="Encounter/other")) == "confirm-fasting-glucose"


@pytest.mark.parametrize("kind", ["IMP", "EMER", "OBSENC"])
def test_glucose_during_a_hospital_stay_is_dropped(kind: str) -> None:
    ward = stay(kind, start="2026-02-01T10:00:00+13:00", end="2026-02-05T10:00:00+13:00")
    assert rule(ward, glucose(300, at="2026-02-03")) == ""
    assert rule(ward, glucose(300, at="2026-01-31")) == "ask-symptoms"
    assert rule(ward, glucose(300, at="2026-02-06")) == "ask-symptoms"


def test_glucose_during_an_outpatient_visit_counts() -> None:
    assert rule(stay("AMB", start="2026-03-01", end="2026-03-01"), glucose(300)) == "ask-symptoms"


def test_glucose_on_a_systemic_steroid_is_dropped() -> None:
    assert rule(drug("predniSONE 20 MG Oral Tablet", start="2026-02-20"), glucose(300)) == ""
    assert rule(drug("prednisone", status="completed", start="2026-01-20"), glucose(300)) == "ask-symptoms"
    assert rule(drug("prednisone", start="2026-03-02"), glucose(300)) == "ask-symptoms"


@pytest.mark.parametrize(
    "text", ["Hydrocortisone 10 MG/ML Topical Cream", "prednisolone eye drops", "dexamethasone otic"]
)
def test_a_steroid_on_the_skin_or_in_the_eye_drops_nothing(text: str) -> None:
    assert rule(drug(text, start="2026-02-20"), glucose(300)) == "ask-symptoms"


# --- HbA1c that must not be interpreted
@pytest.mark.parametrize(
    ("system", "code"),
    [(ICD10CM, "D57.1"), (ICD10CM, "D55.0"), (ICD10CM, "D75.A"), (ICD9CM, "282.60"), (ICD9CM, "282.41")],
)
def test_sickle_cell_disease_and_g6pd_deficiency_forbid_it_for_life(system: str, code: str) -> None:
    facts = (hba1c(7.0, at="2020-01-01"), diagnosis(code, system=system, status="resolved", start="2025-01-01"))
    assert rule(*facts) == "hba1c-unreliable"


def test_haemodialysis_forbids_it() -> None:
    assert rule(hba1c(7.0), diagnosis("Z99.2", system=ICD10CM)) == "hba1c-unreliable"
    assert rule(hba1c(7.0), treatment("90935", system=CPT, start="2026-02-27")) == "hba1c-unreliable"
    assert rule(hba1c(7.0), diagnosis("Z99.2", system=ICD10CM, status="resolved")) == "confirm-hba1c"


@pytest.mark.parametrize(
    "fact",
    [
        lambda day: treatment("116859006", start=day),
        lambda day: diagnosis("D62", system=ICD10CM, start=day),
        lambda day: diagnosis("K92.2", system=ICD10CM, start=day),
        lambda day: drug("epoetin alfa 4000 UNT/ML", status="completed", start=day),
    ],
)
def test_transfusion_bleeding_and_erythropoietin_forbid_it_for_120_days(fact: Any) -> None:
    assert hba1c_unreliable(chart(fact(days_ago(120))), TODAY)
    assert not hba1c_unreliable(chart(fact(days_ago(121))), TODAY)
    assert not hba1c_unreliable(chart(fact(days_ago(-1))), TODAY)


def test_an_hba1c_is_judged_by_its_own_day() -> None:
    transfused = treatment("116859006", start="2025-06-01")
    before, soon_after, later = hba1c(6.6, at="2025-05-31"), hba1c(5.0, at="2025-07-01"), hba1c(5.5, at="2026-01-01")
    assert trusted_hba1c(chart(transfused, before, soon_after, later)) == (later, before)


def test_erythropoietin_that_goes_on_forbids_it() -> None:
    assert rule(drug("darbepoetin alfa", start="2024-01-01"), hba1c(7.0)) == "hba1c-unreliable"


def test_a_recent_fasting_glucose_answers_in_its_place() -> None:
    sickle = diagnosis("D57.1", system=ICD10CM)
    assert alert(sickle, hba1c(7.0))
    assert not alert(sickle, hba1c(7.0), fasting(95, at=months_ago(36, days=1)))
    assert alert(sickle, hba1c(7.0), fasting(95, at=months_ago(36)))
    assert rule(sickle, hba1c(7.0), fasting(126)) == "confirm-fasting-glucose"


# --- HbA1c with a warning
@pytest.mark.parametrize(
    ("code", "doubts"),
    [
        ("D50.9", ("anaemia",)),
        ("D64.9", ("anaemia",)),
        ("D57.3", ("a haemoglobin variant",)),
        ("D56.3", ("a haemoglobin variant",)),
        ("N18.4", ("chronic kidney disease stage 4 or 5",)),
        ("N18.5", ("chronic kidney disease stage 4 or 5",)),
        ("N18.31", ()),
        ("I10", ()),
    ],
)
def test_what_makes_an_hba1c_doubtful_is_said_and_forbids_nothing(code: str, doubts: tuple[str, ...]) -> None:
    context: PatientContext = chart(hba1c(6.6), diagnosis(code, system=ICD10CM))
    assert hba1c_doubts(context) == doubts
    assert rule(hba1c(6.6), diagnosis(code, system=ICD10CM)) == "confirm-hba1c"


def test_an_anaemia_that_is_over_is_no_doubt() -> None:
    assert hba1c_doubts(chart(diagnosis("D50.9", system=ICD10CM, status="resolved"))) == ()

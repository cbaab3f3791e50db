"""A cohort out of FHIR sees nothing that came after the index, and nobody who must stay out."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from django.conf import settings

from cds.cohort import Design, LeftOut, Question, build, first_evidence
from cds.fhir.files import Chart, charts
from cds.services.diabetes.features import KEYS
from cds.services.diabetes.service import DiabetesRisk
from scoring.cohorts import Cohort
from tests.cds.fhir.resources import Resource, bmi, condition, encounter, glucose, hba1c, patient, prescription

UTC = ZoneInfo("UTC")
QUESTION = Question(service=DiabetesRisk(), design=Design(), now=datetime(2026, 1, 1, tzinfo=UTC))
AT_VISIT = replace(QUESTION, design=Design(at_visit=True))
FOLLOWED = replace(QUESTION, design=Design(at_visit=True, followed=timedelta(days=365)))
TYPE_2, PREGNANT = "44054006", "77386006"

SYNTHEA = settings.BASE_DIR.parent / "shared" / "data" / "synthea_bulk"
real_bulk = pytest.mark.skipif(not SYNTHEA.exists(), reason="the Synthea pack is not beside the checkout")


def chart(*resources: Resource, person: Resource | None = None) -> Chart:
    """The patient's, with two glucoses and a BMI, all known in 2023."""
    plain = [glucose(101, effectiveDateTime="2023-05-02"), bmi(31, effectiveDateTime="2023-05-02")]
    empty = Chart(id="p", names={"Patient/p"}, resources={})
    return with_more(empty, person or patient(), *plain, *resources)


def with_more(made: Chart, *resources: Resource) -> Chart:
    found = {kind: list(raws) for kind, raws in made.resources.items()}
    for one in resources:
        found.setdefault(one["resourceType"], []).append(msgspec.json.encode(one))
    return Chart(id=made.id, names=made.names, resources=found)


def cohort(question: Question, *made: Chart) -> Cohort:
    return build(question, made, features=KEYS)


def seen(question: Question, made: Chart) -> dict[str, float]:
    """The known features of the one row."""
    found = cohort(question, made)
    assert len(found) == 1, found.left_out
    return {name: value for name, value in zip(KEYS, found.rows[0].tolist(), strict=True) if not math.isnan(value)}


def left_out(question: Question, made: Chart) -> str:
    found = cohort(question, made)
    assert len(found) == 0
    (reason,) = found.left_out
    return reason


# --- The index and the label -------------------------------------------------------------------------------------
@pytest.mark.parametrize(("value", "ill"), [(6.9, True), (5.4, False)])
def test_the_first_hba1c_is_the_label_and_the_index_lies_a_day_before_it(value: float, *, ill: bool) -> None:
    made = chart(hba1c(value, effectiveDateTime="2024-03-10T09:00:00Z"), hba1c(7.5, effectiveDateTime="2025-03-10"))
    assert cohort(QUESTION, made).label.tolist() == [ill]
    assert QUESTION.case(made).index == datetime(2024, 3, 9, tzinfo=UTC)
    assert cohort(QUESTION, made).period.tolist() == ["2024"]


def test_a_diagnosis_is_a_label_too() -> None:
    assert cohort(QUESTION, chart(condition(TYPE_2, onsetDateTime="2024-03-10"))).label.tolist() == [True]


def test_at_the_visit_the_index_is_the_last_one_before_the_truth_came_out() -> None:
    visits = [encounter(start=f"2024-0{month}-01T08:00:00Z") for month in (1, 2, 4)]
    made = chart(*visits, hba1c(6.9, effectiveDateTime="2024-03-10"))
    assert AT_VISIT.case(made).index == datetime(2024, 2, 1, 8, tzinfo=UTC)
    assert left_out(AT_VISIT, chart(hba1c(6.9, effectiveDateTime="2024-03-10"))) == "no visit to ask at"


def test_whose_truth_nobody_knows_is_left_out_unless_followed_for_long_enough() -> None:
    visits = [encounter(start=f"{year}-06-01T08:00:00Z") for year in (2023, 2024, 2025)]
    assert left_out(QUESTION, chart(*visits)) == "outcome unknown"
    assert cohort(FOLLOWED, chart(*visits)).label.tolist() == [False]
    assert FOLLOWED.case(chart(*visits)).index == datetime(2024, 6, 1, 8, tzinfo=UTC)
    assert left_out(FOLLOWED, chart(encounter(start="2023-06-01"))) == "no visit to ask at"


def test_a_truth_that_came_out_too_long_after_the_visit_is_not_the_visits() -> None:
    made = chart(encounter(start="2023-06-01T08:00:00Z"), condition(TYPE_2, onsetDateTime="2024-03-10"))
    assert left_out(FOLLOWED, made) == "outcome unknown"


# --- No look ahead -----------------------------------------------------------------------------------------------
def test_leaks_that_were_planted_are_not_used() -> None:
    honest = chart(hba1c(6.9, effectiveDateTime="2024-03-10T09:00:00Z"))
    leaking = with_more(
        honest,
        glucose(301, effectiveDateTime="2024-03-10T09:00:00Z"),  # of the same morning as the label
        glucose(302, effectiveDateTime="2024-03-09T00:00:00Z"),  # at the index itself
        glucose(303, effectiveDateTime="2024-03-01", issued="2024-03-20T00:00:00Z"),  # drawn before, reported after
        glucose(304, effectiveDateTime="2024"),  # some day of that year
        bmi(55, effectiveDateTime="2024-04-01"),
        condition(TYPE_2, onsetDateTime="2010-01-01", recordedDate="2024-03-12"),  # entered later as of long ago
        prescription("metformin", authoredOn="2024-03-12"),
        condition(PREGNANT, onsetDateTime="2024-01-01", recordedDate="2024-04-01"),
    )
    index = QUESTION.case(honest).index  # of its own the other would be asked about before 2010
    then, clean = (QUESTION.past(made, QUESTION.whole(made), index) for made in (leaking, honest))
    assert (then.observations, then.diagnoses, then.drugs) == (clean.observations, clean.diagnoses, clean.drugs)
    assert QUESTION.service.row(then) == QUESTION.service.row(clean) is not None
    assert seen(QUESTION, honest) == {"age": 54, "sex": 0, "glucose": 101, "bmi": 31}


def test_the_same_things_known_in_time_are_used() -> None:
    made = chart(
        glucose(150, effectiveDateTime="2024-03-08T23:59:59Z", issued="2024-03-08T23:59:59Z"),
        hba1c(6.9, effectiveDateTime="2024-03-10T09:00:00Z"),
    )
    assert seen(QUESTION, made)["glucose"] == 150
    known = prescription("metformin", authoredOn="2024-03-01")
    assert (
        left_out(QUESTION, chart(known, hba1c(6.9, effectiveDateTime="2024-03-10")))
        == "the service does not ask its model"
    )


def test_who_died_later_was_alive() -> None:
    died = patient(deceasedDateTime="2025-01-01")
    assert len(cohort(QUESTION, chart(hba1c(6.9, effectiveDateTime="2024-03-10"), person=died))) == 1


@real_bulk
def test_no_fact_of_a_real_size_record_comes_from_after_the_index(synthea: list[Chart]) -> None:
    looked_at = 0
    for one in synthea:
        try:
            index = QUESTION.case(one).index
        except LeftOut:
            continue
        past = QUESTION.past(one, QUESTION.whole(one), index)
        dates = [fact.when for facts in past.observations.values() for fact in facts]
        dates += [fact.start for fact in (*past.diagnoses, *past.drugs, *past.treatments) if fact.start]
        assert all(date.latest < index for date in dates)
        looked_at += len(dates)
    assert looked_at > 20


# --- Who stays out -----------------------------------------------------------------------------------------------
def test_a_restricted_chart_and_a_merged_one_stay_out() -> None:
    system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    vip = patient(meta={"security": [{"system": system, "code": "V"}]})
    merged = patient(link=[{"type": "replaced-by", "other": {"reference": "Patient/q"}}])
    label = hba1c(6.9, effectiveDateTime="2024-03-10")
    assert left_out(QUESTION, chart(label, person=vip)) == "restricted chart"
    assert left_out(QUESTION, chart(label, person=merged)) == "not readable, or merged into another record"


def test_of_whom_nothing_was_known_before_the_index_stays_out() -> None:
    bare = Chart(
        id="p",
        names={"Patient/p"},
        resources={
            "Patient": [msgspec.json.encode(patient())],
            "Observation": [msgspec.json.encode(hba1c(6.9, effectiveDateTime="2024-03-10"))],
        },
    )
    assert left_out(QUESTION, bare) == "nothing measured before the index time"


def test_whom_the_service_would_not_ask_about_stays_out() -> None:
    child = patient(birthDate="2010-01-01")
    made = chart(hba1c(6.9, effectiveDateTime="2024-03-10"), person=child)
    assert left_out(QUESTION, made) == "the service does not ask its model"


def test_groups_are_for_reporting_and_nobody_is_named() -> None:
    race = {
        "url": "race",
        "extension": [
            {"url": "ombCategory", "valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2028-9"}}
        ],
    }
    found = cohort(QUESTION, chart(hba1c(6.9, effectiveDateTime="2024-03-10"), person=patient(extension=[race])))
    assert {name: column.tolist() for name, column in found.groups.items()} == {
        "sex": ["female"],
        "age": ["40-59"],
        "ethnicity": ["asian"],
    }
    assert found.person.tolist() != ["p"]


# --- Real size ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def synthea(tmp_path_factory: pytest.TempPathFactory) -> list[Chart]:
    """The first nine of the Java generator's adults with an HbA1c, and what is theirs."""
    found = [
        one for one in charts([SYNTHEA]) if any(b'"4548-4"' in raw for raw in one.resources.get("Observation", ()))
    ]
    return found[:9]


@real_bulk
def test_bulk_data_makes_a_cohort_and_says_who_is_not_in_it(synthea: list[Chart]) -> None:
    found = cohort(QUESTION, *synthea)
    assert len(found) + sum(found.left_out.values()) == len(synthea)
    assert len(found) >= 2
    assert found.features == KEYS
    assert not np.isnan(found.rows[:, KEYS.index("age")]).any()
    assert cohort(QUESTION, *synthea).sha256 == found.sha256


def test_the_first_evidence_is_that_of_the_whole_record() -> None:
    made = chart(hba1c(5.2, effectiveDateTime="2024-03-10T09:00:00Z"), condition(TYPE_2, onsetDateTime="2024-06-01"))
    whole = QUESTION.whole(made)
    assert first_evidence(QUESTION.service, whole) == datetime(2024, 3, 10, 9, tzinfo=UTC)

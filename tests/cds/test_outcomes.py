"""Answers become rows, later records say what was true, and whoever must stay out stays out."""

from __future__ import annotations

import pytest

from cds import outcomes, tasks
from cds.finding import Finding
from cds.models import Assessment, AuditEntry, Ehr, OptOut
from cds.opt_out import opt_out
from cds.services.diabetes.tests.charts import NOW, days_ago, diagnosis, glucose, hba1c, measured, person
from scoring.models import Prediction
from tests.cds.answered import answered, production
from tests.naming import named

TYPE_2 = "44054006"
FACTS = (glucose(118), measured("bmi", 31))


@pytest.fixture
def real(ehr: Ehr) -> Ehr:
    return production(ehr)


def row() -> Prediction:
    return Prediction.objects.get()


def test_an_answer_becomes_a_row_of_numbers(real: Ehr) -> None:
    assessment = answered(real, *FACTS)
    assert outcomes.collect() == 1
    outcome = assessment.outcome
    assert isinstance(outcome, Finding)
    assert outcome.estimate is not None
    assert (row().case, row().probability) == (assessment.pk, outcome.estimate.probability)
    assert (row().model_name, row().model_version) == ("diabetes-risk", assessment.model_version)
    assert (row().row["glucose"], row().row["bmi"], row().row["waist"]) == (118, 31, None)
    assert (row().site, row().threshold, row().asked_at, row().label) == (str(real.pk), 0.1, NOW, None)


def test_nothing_in_the_row_says_whom_it_is_about(real: Ehr) -> None:
    assessment = answered(real, *FACTS, patient=person(id="ada-lindqvist"))
    outcomes.collect()
    kept = str({name: value for name, value in vars(row()).items() if name != "_state"})
    assert not named(kept, "ada", "lindqvist")
    assert assessment.patient_key not in kept


def test_collecting_twice_collects_once(real: Ehr) -> None:
    answered(real, *FACTS)
    assert [outcomes.collect(), outcomes.collect()] == [1, 0]
    assert AuditEntry.objects.filter(action="collect").count() == 1
    assert Prediction.objects.count() == 1


def test_a_later_hba1c_tells_the_truth_about_an_earlier_answer(real: Ehr) -> None:
    answered(real, *FACTS, days=-60)
    outcomes.collect()
    answered(real, *FACTS, hba1c(6.9, at=days_ago(20)))
    outcomes.collect()
    assert (row().label, row().known_by) == (True, "result")
    assert row().labelled_at.date().isoformat() <= days_ago(20)  # type: ignore[union-attr]


def test_a_later_diagnosis_does_too(real: Ehr) -> None:
    answered(real, *FACTS, days=-60)
    answered(real, *FACTS, diagnosis(TYPE_2, start=days_ago(10)))
    outcomes.collect()
    assert (row().label, row().known_by) == (True, "diagnosis")


def test_every_answer_of_the_time_before_gets_it_and_none_of_the_time_after(real: Ehr) -> None:
    for days in (-60, -50, 30):
        answered(real, *FACTS, days=days)
    answered(real, *FACTS, hba1c(5.2, at=days_ago(20)))
    outcomes.collect()
    assert list(Prediction.objects.order_by("asked_at").values_list("label", flat=True)) == [False, False, None]


def test_another_patient_s_result_says_nothing(real: Ehr) -> None:
    answered(real, *FACTS, days=-60)
    answered(real, *FACTS, hba1c(6.9, at=days_ago(20)), patient=person(id="2"))
    outcomes.collect()
    assert row().label is None


def test_another_hospital_s_patient_of_the_same_id_is_another_person(real: Ehr) -> None:
    other = Ehr.objects.create(name="Elsewhere", fhir_base="https://elsewhere.example.org/fhir")
    answered(real, *FACTS, days=-60)
    answered(other, *FACTS, hba1c(6.9, at=days_ago(20)))
    outcomes.collect()
    assert Prediction.objects.get(site=str(real.pk)).label is None


def test_the_first_truth_stays(real: Ehr) -> None:
    answered(real, *FACTS, days=-60)
    answered(real, *FACTS, hba1c(5.2, at=days_ago(20)), days=-19)
    answered(real, *FACTS, diagnosis(TYPE_2, start=days_ago(1)))
    outcomes.collect()
    assert row().label is False


def test_where_a_criterion_speaks_there_is_no_row(real: Ehr) -> None:
    answered(real, *FACTS, hba1c(6.9))
    outcomes.collect()
    assert not Prediction.objects.exists()


def test_an_invented_patient_stays_out(real: Ehr) -> None:
    real.test_patients = "1"
    answered(real, *FACTS)
    outcomes.collect()
    assert not Prediction.objects.exists()


def test_a_restricted_chart_stays_out_and_tells_nothing(real: Ehr) -> None:
    answered(real, *FACTS, days=-60)
    answered(real, *FACTS, hba1c(6.9, at=days_ago(20)), patient=person(restricted=True))
    outcomes.collect()
    assert row().label is None  # there is one, of the time before


def test_who_opted_out_stays_out(real: Ehr) -> None:
    answered(real, *FACTS)
    OptOut.objects.create(ehr=real, patient_key=real.pseudonym("1"))
    assert outcomes.collect() == 1
    assert not Prediction.objects.exists()


def test_opting_out_takes_the_rows_back(real: Ehr) -> None:
    answered(real, *FACTS)
    answered(real, *FACTS, patient=person(id="2"))
    outcomes.collect()
    opt_out(real, "1", actor="a")
    assert Prediction.objects.count() == 1


def test_facts_that_cannot_be_read_keep_no_other_waiting(real: Ehr, caplog: pytest.LogCaptureFixture) -> None:
    spoilt = answered(real, *FACTS, days=-1)
    Assessment.objects.filter(pk=spoilt.pk).update(snapshot=b"not the facts")
    answered(real, *FACTS)
    assert outcomes.collect() == 2
    assert Prediction.objects.count() == 1
    assert str(spoilt.pk) in caplog.text
    assert outcomes.collect() == 0


def test_purged_facts_make_no_row(real: Ehr) -> None:
    gone = answered(real, *FACTS)
    Assessment.objects.filter(pk=gone.pk).update(snapshot=None)
    assert outcomes.collect() == 1
    assert not Prediction.objects.exists()


def test_the_task_collects(real: Ehr) -> None:
    answered(real, *FACTS)
    tasks.collect_outcomes()
    assert row().asked_at == NOW

"""A doubted answer is replayed and judged; what the reviewer says was true joins the rows to learn from."""

from __future__ import annotations

import pytest

from cds import outcomes, tasks
from cds.errors import BadInput
from cds.feedback import report_wrong
from cds.models import Assessment, AuditEntry, Ehr, Feedback, OptOut, Replayed, Review
from cds.renewal import renew_all
from cds.review import judge, prepare, prepared, question, unprepared, why_not_learnt_from
from cds.services.diabetes.tests.charts import days_ago, glucose, hba1c, measured, person
from scoring.models import Prediction
from tests.cds.answered import answered, production

HIGH = (glucose(150), measured("bmi", 34))


@pytest.fixture
def real(ehr: Ehr) -> Ehr:
    return production(ehr)


def doubted(assessment: Assessment) -> Feedback:
    return report_wrong(assessment, actor="a", reason="number", comment="This is nonsense")


def verdict(row: Feedback, label: bool | None, verdict: str = "wrong") -> Review:
    return judge(row, verdict=verdict, label=label, note="seen the chart", by="Dr Grey", actor="g")


def test_a_doubted_answer_waits_to_be_replayed_and_is_replayed_once(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    answered(real, glucose(80))
    doubted(assessment)
    assert unprepared() == [str(assessment.pk)]
    prepare(str(assessment.pk))
    assert unprepared() == []


def test_the_replay_is_kept_for_the_page(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    prepare(str(assessment.pk))
    found = prepared(assessment)
    assert found is not None
    assert (found[0].verdict, found[1].replay.verdict) == ("same", "same")
    assert b"model-high" not in raw(Replayed)


def raw(model: type[Replayed]) -> bytes:
    """As it stands in the database."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT report FROM {model._meta.db_table}")
        return bytes(cursor.fetchone()[0])


def test_similar_cases_are_other_patients_of_the_same_hospital(real: Ehr) -> None:
    other = Ehr.objects.create(name="Elsewhere", fhir_base="https://elsewhere.example.org/fhir")
    answered(real, glucose(149), measured("bmi", 34), patient=person(id="2"))
    answered(real, glucose(80), measured("bmi", 20), patient=person(id="3"))
    answered(other, *HIGH, patient=person(id="4"))
    answered(real, *HIGH, days=-1)
    assessment = answered(real, *HIGH)
    outcomes.collect()
    prepare(str(assessment.pk))
    found = prepared(assessment)
    assert found is not None
    assert [case.row["glucose"] for case in found[1].similar] == [149, 80]
    assert found[1].row["glucose"] == 150


def test_replaying_is_audited_as_our_own_work(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    prepare(str(assessment.pk))
    entry = AuditEntry.objects.get(action="replay")
    assert (entry.actor, entry.patient_key) == ("bedside", assessment.patient_key)


def test_a_verdict_s_label_joins_the_rows(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    assert why_not_learnt_from(assessment) == ""  # collects it, if nobody has
    row = doubted(assessment)
    verdict(row, label=False)
    learnt = Prediction.objects.get()
    assert (learnt.label, learnt.known_by, learnt.labelled_at) == (False, "review", assessment.created_at)
    row.refresh_from_db()
    assert row.reviewed_at is not None


def test_the_next_renewal_counts_it_among_what_is_known(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    answered(real, glucose(80), patient=person(id="2"))
    outcomes.collect()
    verdict(doubted(assessment), label=True, verdict="right")
    report = next(run.report for run in renew_all() if run.model_name == "diabetes-risk")
    assert (report["asked"], report["known"], report["events"]) == (2, 1, 1)


def test_a_reviewer_outweighs_a_result_and_a_later_result_does_not_outweigh_the_reviewer(real: Ehr) -> None:
    assessment = answered(real, *HIGH, days=-60)
    answered(real, *HIGH, hba1c(6.9, at=days_ago(20)), days=-19)
    outcomes.collect()
    verdict(doubted(assessment), label=False)
    answered(real, *HIGH, hba1c(6.9, at=days_ago(20)))
    outcomes.collect()
    assert Prediction.objects.get(case=assessment.pk).label is False


def test_who_cannot_say_leaves_the_row_as_it_was(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    outcomes.collect()
    verdict(doubted(assessment), label=None, verdict="unclear")
    assert Prediction.objects.get().label is None
    assert Review.objects.get().verdict == "unclear"


def test_the_last_word_counts_and_every_word_is_audited(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    outcomes.collect()
    row = doubted(assessment)
    verdict(row, label=False)
    verdict(row, label=True, verdict="right")
    assert (Review.objects.get().verdict, Prediction.objects.get().label) == ("right", True)
    said = [entry.detail for entry in AuditEntry.objects.filter(action="review").order_by("pk")]
    assert said == [{"verdict": "wrong", "label": "False"}, {"verdict": "right", "label": "True"}]


def test_feedback_of_no_known_answer_cannot_be_judged(real: Ehr) -> None:
    row = Feedback.objects.create(
        ehr=real, service_id="diabetes-risk", card_uuid="?", outcome="overridden", outcome_at=real.now()
    )
    with pytest.raises(BadInput):
        verdict(row, label=True)


def test_why_nothing_is_learnt_is_said(real: Ehr, ehr: Ehr) -> None:
    assert "rule spoke" in why_not_learnt_from(answered(real, hba1c(7)))
    gone = answered(real, *HIGH, patient=person(id="2"))
    OptOut.objects.create(ehr=real, patient_key=gone.patient_key)
    assert "opted out" in why_not_learnt_from(gone)
    real.test_patients = "3"
    assert "invented" in why_not_learnt_from(answered(real, *HIGH, patient=person(id="3")))


def test_the_label_is_asked_for_in_the_recipe_s_words(real: Ehr) -> None:
    assert question(answered(real, *HIGH)).startswith("HbA1c >= 6.5 %")


def test_the_task_prepares_what_waits(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    doubted(assessment)
    tasks.prepare_review(str(assessment.pk))
    assert Replayed.objects.get().assessment == assessment

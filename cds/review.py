"""Review: an answer that a clinician doubted is replayed, shown with the cases most like it, and judged by a reviewer.

The label that the reviewer gives joins the rows from which the next candidate learns.
"""

from __future__ import annotations

import msgspec
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from msgspec import Struct

from cds import audit, outcomes, registry
from cds.errors import BadInput, UnknownService
from cds.models import Assessment, Feedback, Replayed, Review
from cds.replay import Replay, replay
from scoring.models import ModelVersion, Prediction
from scoring.similar import MOST, nearest

SIMILAR = 8  # cases shown


class Case(Struct, frozen=True, kw_only=True):
    """A similar case: what the model saw and said, and what was true, if that is known. Nobody can be told from it."""

    row: dict[str, float | None]
    probability: float | None
    month: str
    label: bool | None


class Prepared(Struct, frozen=True, kw_only=True):
    """What the reviewer's page shows and only a worker can make."""

    replay: Replay
    row: dict[str, float | None] = {}  # what the model saw here; empty where it was not the model that decided
    similar: tuple[Case, ...] = ()


def prepare(assessment_id: str) -> Replayed:
    """Replay it and look for similar cases: at the same EHR, of other patients."""
    outcomes.collect_safely(assessment_id)
    assessment = Assessment.objects.defer("snapshot", "result").select_related("ehr").get(pk=assessment_id)
    one = Prediction.objects.filter(case=assessment.pk).first()
    found = Prepared(replay=replay(assessment))
    if one is not None:
        found = Prepared(replay=found.replay, row=one.row, similar=tuple(_similar(assessment, one)))
    key, subject = assessment.patient_key, str(assessment.pk)
    audit.record("replay", actor=audit.US, ehr=assessment.ehr, patient_key=key, subject=subject)
    return Replayed.objects.create(
        assessment=assessment, verdict=found.replay.verdict, report=msgspec.json.encode(found)
    )


def unprepared() -> list[str]:
    """Ids of answers that wait for a reviewer and were not replayed yet."""
    waiting = Feedback.objects.filter(outcome=Feedback.Outcome.WRONG, reviewed_at=None, assessment__isnull=False)
    there = Replayed.objects.filter(assessment=OuterRef("assessment"))
    ids = waiting.filter(~Exists(there)).values_list("assessment", flat=True).distinct()
    return [str(pk) for pk in ids]


def prepared(assessment: Assessment) -> tuple[Replayed, Prepared] | None:
    """The newest."""
    row = assessment.replays.order_by("-made_at").first()
    return (row, msgspec.json.decode(row.report, type=Prepared)) if row else None


def _similar(assessment: Assessment, one: Prediction) -> list[Case]:
    same = Assessment.objects.filter(ehr=assessment.ehr, patient_key=assessment.patient_key)
    others = Prediction.objects.filter(site=one.site, model_name=one.model_name).exclude(case__in=same.values("pk"))
    return [
        Case(row=other.row, probability=other.probability, month=f"{other.asked_at:%b %Y}", label=other.label)
        for other in nearest(one.row, list(others.order_by("-asked_at")[:MOST]), count=SIMILAR)
    ]


def judge(feedback: Feedback, *, verdict: str, label: bool | None, note: str, by: str, actor: str) -> Review:
    """Keep the verdict; the last word counts. `label`: what was true of the patient, None where that is not known; it
    outweighs what a result or a diagnosis said before."""
    about = feedback.about
    if about is None:
        raise BadInput("It is not known which answer this is about.")
    with transaction.atomic():
        row, _ = Review.objects.update_or_create(
            feedback=feedback,
            defaults={
                "verdict": verdict,
                "label": label,
                "note": note.strip().encode() or None,
                "by": by[:150],
                "reviewed_at": timezone.now(),
            },
        )
        Feedback.objects.filter(pk=feedback.pk).update(reviewed_at=row.reviewed_at)
        if label is not None:
            _teach(about, label)
        audit.record(
            "review",
            actor=actor,
            ehr=feedback.ehr,
            patient_key=about.patient_key,
            subject=f"feedback {feedback.pk}",
            verdict=row.verdict,
            label="" if row.label is None else str(row.label),
        )
    return row


def _teach(assessment: Assessment, label: bool) -> None:
    row = Prediction.objects.filter(case=assessment.pk)
    row.update(label=label, labelled_at=assessment.created_at, known_by=Prediction.KnownBy.REVIEW)


def why_not_learnt_from(assessment: Assessment) -> str:
    """Why a label of this answer would not reach the next model, in one sentence; "" if it will."""
    if why := outcomes.left_out(assessment):
        return why
    if assessment.collected_at is None:
        outcomes.collect_safely(str(assessment.pk))
    if Prediction.objects.filter(case=assessment.pk).exists():
        return ""
    return "It was not the model that decided: a rule spoke, or the chart is restricted, or its facts are gone."


def question(assessment: Assessment) -> str:
    """What the label means, in the words of the model's recipe; "" where there is no model."""
    models = ModelVersion.objects.filter(version=assessment.model_version, name=_model(assessment))
    return str(models.values_list("facts__label", flat=True).first() or "")


def _model(assessment: Assessment) -> str:
    try:
        return registry.get(assessment.service_id).model or ""
    except UnknownService:
        return ""

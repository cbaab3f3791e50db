"""The page on which a doubted answer is reviewed: what was said, the replay, why, similar cases, and the verdict."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import InvalidToken
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from cds import audit, doorbell, registry, tasks
from cds.admin import pages
from cds.admin.pictures import LOOK, picture
from cds.errors import CdsError
from cds.feedback import WRONG, read, with_answers
from cds.finding import Estimate, Factor, NotApplicable
from cds.hints import in_words
from cds.models import Assessment, Feedback, Review
from cds.plots import waterfall
from cds.review import judge, prepared, question, why_not_learnt_from
from cds.why import in_words as why_in_words
from cds.why import why
from cds.words import number
from scoring.models import Prediction

REPLAY_SECONDS = 10  # while the reviewer waits
SAYS = {
    "same": "The same facts, model and threshold give the same answer again, to the byte.",
    "code": "It cannot be repeated as it was, because the program has changed since.",
    "facts": "It cannot be repeated, because its facts are not there any more.",
    "model": "It cannot be repeated, because its model cannot be used any more.",
    "unfinished": "There was no answer.",
    "unexplained": "The answer is another one now, and nothing explains why. Tell the people who look after the program.",
}


class VerdictForm(forms.Form):
    """What the reviewer found."""

    verdict = forms.ChoiceField(label="What Bedside said", choices=Review.Verdict.choices, widget=forms.RadioSelect)
    label = forms.TypedChoiceField(
        widget=forms.RadioSelect,
        choices=[("yes", "Yes"), ("no", "No"), ("", "Not known")],
        coerce=lambda given: {"yes": True, "no": False}[given],
        empty_value=None,
        required=False,
    )
    note = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text="Why; kept encrypted. No patient's name.",
    )

    def __init__(self, data: Any, *, past: Review | None, question: str) -> None:
        given = {True: "yes", False: "no", None: ""}
        initial = {"verdict": past.verdict, "label": given[past.label]} if past else {"label": ""}
        super().__init__(data, initial=initial)
        self.fields["label"].label = f"What was true: {question}?" if question else "What was true?"


def review_page(model_admin: admin.ModelAdmin[Feedback], request: HttpRequest, pk: int) -> HttpResponse:
    """Whoever opens it has read the comment, and that is on record."""
    if not request.user.has_perm("cds.review_feedback"):
        raise PermissionDenied
    row = get_object_or_404(with_answers(), pk=pk)
    about = row.about
    if about is not None and request.POST.get("do") == "replay":
        _replay(str(about.pk))
        return redirect("admin:cds_feedback_review", row.pk)
    past = Review.objects.filter(feedback=row).first()
    form = VerdictForm(request.POST or None, past=past, question=question(about) if about else "")
    if about is not None and form.is_valid():
        judge(row, **form.cleaned_data, by=pages.name_of(request), actor=pages.actor(request, row.ehr))
        messages.success(request, "Kept. It no longer waits for a review.")
        return redirect("admin:cds_feedback_review", row.pk)
    actor = pages.actor(request, row.ehr)
    shown: dict[str, Any] = {"row": row, "about": about, "form": form, "past": past, "hints": in_words(row.hints)}
    shown |= {"said": read(row, actor=actor), "reason": WRONG.get(row.reason, row.reason)}
    if about is not None:
        key, subject = about.patient_key, str(about.pk)
        audit.record("open-review", actor=actor, ehr=row.ehr, patient_key=key, subject=subject)
        shown |= _answer(about) | _known(about)
    return pages.rendered(model_admin, request, "feedback/review", "Review an answer", **shown)


def _replay(assessment_id: str) -> None:
    """In a worker: this process has no model. What comes too late is there when the page is opened again."""
    with doorbell.listening(tasks.review_bell(assessment_id)) as bell:
        try:
            tasks.prepare_review.apply_async((assessment_id,), retry=False)
        except tasks.QueueDown:
            return
        bell.wait(REPLAY_SECONDS)


def _known(about: Assessment) -> dict[str, Any]:
    """What is known of the truth, and whether a verdict teaches the next model."""
    row = Prediction.objects.filter(case=about.pk).first()
    return {"prediction": row, "why_not": why_not_learnt_from(about)}


def _answer(about: Assessment) -> dict[str, Any]:
    """The answer in words, its factors, the replay and the similar cases; nothing of a restricted chart."""
    shown: dict[str, Any] = {"service": about.service_id}
    made = prepared(about)
    try:
        outcome, context = about.outcome, about.context
        service = registry.get(about.service_id)
    except (CdsError, InvalidToken) as error:
        return (
            shown | {"gone": str(error) or "FIELD_KEYS no longer holds the key of its facts."} | _prepared(made, None)
        )
    if context.patient.restricted:
        return shown | {"restricted": True}
    estimate = None if outcome is None or isinstance(outcome, NotApplicable) else outcome.estimate
    shown |= {
        "service": service.title,
        "sentence": service.sentence(outcome, context) if outcome else "",
        "cards": service.cards(outcome, context) if outcome else [],
        "rule": outcome.rule if outcome else "",
    }
    return shown | (_why(estimate) if estimate else {}) | _prepared(made, estimate)


def _why(estimate: Estimate) -> dict[str, Any]:
    wide, narrow = (waterfall(estimate, size=size, theme=LOOK) for size in ("wide", "narrow"))
    return {"why": why(estimate), "plot": picture(wide, says=why_in_words(estimate), narrow=narrow)}


def _prepared(made: Any, estimate: Estimate | None) -> dict[str, Any]:
    if made is None:
        return {}
    row, found = made
    factors = {factor.key: factor for factor in estimate.factors} if estimate else {}
    rows = [found.row, *(case.row for case in found.similar)]
    keys = [key for key in found.row if any(one.get(key) is not None for one in rows)]
    own, *others = ([_value(one.get(key), found.row[key], factors.get(key)) for key in keys] for one in rows)
    return {
        "replayed": row,
        "replay": found.replay,
        "replay_says": SAYS.get(found.replay.verdict, ""),
        "columns": [factors[key].label if key in factors else key for key in keys],
        "own": own,
        "estimate": estimate,
        "similar": list(zip(found.similar, others, strict=True)),
    }


def _value(value: float | None, mine: float | None, factor: Factor | None) -> str:
    """As people read it: yes-or-no, such as sex, in the words that this person's own value has."""
    if value is None:
        return "–"
    if factor and factor.quantity is None and mine in (0, 1) and value in (0, 1):
        return factor.text if value == mine else f"not {factor.text}"
    return number(value)

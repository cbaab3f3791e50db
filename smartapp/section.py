"""What one service says about one patient, ready for the template: the answer, the reasons, the doubts, what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.utils import timezone

from cds import plots
from cds.cards import Card
from cds.context import PatientContext
from cds.facts import Observed
from cds.feedback import WRONG
from cds.fhir.versions import R4
from cds.finding import Estimate, Finding, Missing, NotApplicable, Outcome
from cds.flow import enabled
from cds.models import Assessment, EnabledService, Feedback, WriteBack
from cds.needs import Need
from cds.present import failed
from cds.records import ObservationRecord, ReportRecord, RiskAssessmentRecord
from cds.service import DecisionService, Trend
from cds.why import Why, in_words, why
from cds.words import Frequency, day, measured, number, unit
from cds.writeback.confirm import obstacle, saved
from cds.writeback.retract import REASONS, is_theirs
from scoring.models import ModelVersion
from smartapp.answers import Answer
from smartapp.model_card import chapter, has_card
from smartapp.models import SmartSession

Aim = WriteBack.Aim


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel of "over time"."""

    index: int
    trend: Trend
    found: Sequence[Observed]

    @property
    def in_words(self) -> str:
        values = ", ".join(
            f"{fact.quantity.comparator}{number(fact.quantity.value)} ({day(fact.when)})" for fact in self.found
        )
        cut_offs = ", ".join(f"{number(value)} {text}" for value, text in self.trend.cut_offs.items())
        return f"{self.trend.title} in {unit(self.trend.unit)}, oldest first: {values}. Cut-offs: {cut_offs}."


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A measurement that the answer rests on, as the laboratory reported it."""

    title: str
    value: str
    day: str
    source: str


class Section:
    """Built from an `Answer`; the template asks it, and it asks the service."""

    def __init__(self, answer: Answer, session: SmartSession, *, looks: int = 0) -> None:
        self.service: DecisionService = answer.service
        self.assessment = answer.assessment
        self.lacking = answer.lacking
        self.protected = answer.protected
        self.session = session
        self.looks = looks

    @property
    def state(self) -> str:
        """Which template shows it."""
        if self.assessment is None:
            return "unanswered"
        if self.outcome is not None:
            return "answered"
        return "pending" if self.assessment.status == Assessment.Status.QUEUED else "unanswered"

    @cached_property
    def outcome(self) -> Outcome | None:
        return self.assessment.outcome if self.assessment else None

    @cached_property
    def context(self) -> PatientContext | None:
        return self.assessment.context if self.assessment else None

    # --- The answer ----------------------------------------------------------------------------------------------
    @property
    def sentence(self) -> str:
        if self.outcome is None or self.context is None:
            return failure_card(self.service).summary
        return self.service.sentence(self.outcome, self.context)

    @property
    def applies(self) -> bool:
        return not isinstance(self.outcome, NotApplicable)

    @cached_property
    def estimate(self) -> Estimate | None:
        return None if self.outcome is None or isinstance(self.outcome, NotApplicable) else self.outcome.estimate

    @cached_property
    def frequency(self) -> Frequency | None:
        return Frequency(probability=self.estimate.probability) if self.estimate else None

    @cached_property
    def peers(self) -> Frequency | None:
        known = self.estimate is not None and self.estimate.peers is not None
        return Frequency(probability=self.estimate.peers) if known else None  # type: ignore[union-attr, arg-type]

    @property
    def rough(self) -> bool:
        """There is a number, and the service itself says that it is not enough to go by."""
        return self.estimate is not None and not isinstance(self.outcome, Finding)

    # --- Why -----------------------------------------------------------------------------------------------------
    @cached_property
    def why(self) -> Why | None:
        return why(self.estimate) if self.estimate else None

    @property
    def why_in_words(self) -> str:
        return in_words(self.estimate) if self.estimate else ""

    @property
    def evidence(self) -> list[Fact]:
        found = self.outcome.evidence if isinstance(self.outcome, Finding) else ()
        return [
            Fact(
                title=self.titles[fact.analyte],
                value=measured(fact.reported),
                day=day(fact.when),
                source=fact.source,
            )
            for fact in found
        ]

    @cached_property
    def titles(self) -> dict[str, str]:
        """What each measurement is called."""
        return {analyte.key: analyte.title for need in self.service.needs for analyte in need.analytes}

    @cached_property
    def panels(self) -> list[Panel]:
        if self.context is None or not self.applies:
            return []
        found = [(trend, plots.measurements(trend, self.context)) for trend in self.service.trends]
        return [Panel(index=index, trend=trend, found=facts) for index, (trend, facts) in enumerate(found)]

    # --- Missing or doubtful -------------------------------------------------------------------------------------
    @property
    def missing(self) -> list[str]:
        found: tuple[Missing, ...] = () if self.outcome is None else getattr(self.outcome, "missing", ())
        return [one.in_words for one in found]

    @property
    def ungranted(self) -> list[str]:
        """What the record system keeps from Bedside, in FHIR's words, which its administrators use.

        The category is named where others of the same kind are open.
        """
        opens = self.session.grant.opens
        version = (self.session.ehr.dialect or R4).version
        needs = [version.asks(need) for need in self.service.needs]
        open_kinds = {need.resource for need in needs if opens(need)}
        closed = [need for need in needs if not opens(need)]
        return sorted({_with_category(need) if need.resource in open_kinds else need.resource for need in closed})

    @property
    def cautions(self) -> tuple[str, ...]:
        return () if self.outcome is None else getattr(self.outcome, "cautions", ())

    # --- Saving --------------------------------------------------------------------------------------------------
    @cached_property
    def kept(self) -> list[WriteBack]:
        rows = self.assessment.write_backs.filter(aim=Aim.WRITE) if self.assessment else WriteBack.objects.none()
        return list(rows.order_by("-target"))

    @cached_property
    def earlier(self) -> list[WriteBack]:
        """Results in the chart that this one supersedes, or should."""
        return list(self.assessment.supersedes.select_related("assessment")) if self.assessment else []

    @property
    def superseded(self) -> WriteBack | None:
        """By a later answer, in the chart."""
        rows = self.assessment.write_backs.filter(aim=Aim.SUPERSEDE) if self.assessment else WriteBack.objects.none()
        return rows.exclude(successor=None).select_related("successor").first()

    @property
    def may_call_off(self) -> bool:
        """Something is still to be saved, and it was this clinician who asked for it."""
        unsent = [one for one in self.kept if one.status not in {WriteBack.Status.SENT, WriteBack.Status.DECLINED}]
        return bool(unsent) and self.may_retract and self.assessment is not None and not self.assessment.retracted_at

    @cached_property
    def undo(self) -> WriteBack | None:
        """How far it is taken back what was half saved."""
        return self.assessment.write_backs.filter(aim=Aim.UNDO).first() if self.assessment else None

    @property
    def saved(self) -> bool:
        """Is there nothing that another press would do?"""
        waits = any(one.status == WriteBack.Status.WAITING for one in self.earlier)
        return bool(self.kept) and all(one.written for one in self.kept) and not waits

    # --- Confirming ----------------------------------------------------------------------------------------------
    @cached_property
    def confirmed(self) -> list[WriteBack]:
        """By a clinician, and how far it has come at each place."""
        rows = self.assessment.write_backs.filter(aim=Aim.CONFIRM) if self.assessment else WriteBack.objects.none()
        return list(rows.order_by("-target"))

    @property
    def confirmable(self) -> bool:
        """It stands where it should, and a press would do something."""
        if self.assessment is None or self.assessment.retracted_at or self.superseded or not saved(self.assessment):
            return False
        return not self.confirmed or any(not one.written for one in self.confirmed)

    @property
    def cannot_confirm(self) -> str:
        """Why not by this clinician; "" if they can."""
        grant = self.session.grant
        if self.assessment is None:
            return ""
        return obstacle(self.assessment, by=grant.user, name=grant.user_name, may=grant.may)

    # --- Retracting ----------------------------------------------------------------------------------------------
    @property
    def retractable(self) -> bool:
        """Something was saved, or is on its way."""
        sent = [one for one in self.kept if one.status != WriteBack.Status.DECLINED or one.resources]
        return bool(sent) and self.assessment is not None and self.assessment.retracted_at is None

    @property
    def may_retract(self) -> bool:
        """Nobody else has confirmed it."""
        return self.assessment is not None and is_theirs(self.assessment, self.session.grant.user)

    @property
    def retraction(self) -> WriteBack | None:
        """How far it has come in the chart; None where nothing of it was there."""
        return self.assessment.write_backs.filter(aim=Aim.RETRACT).first() if self.assessment else None

    @property
    def why_retract(self) -> dict[str, str]:
        return REASONS

    @property
    def in_chart(self) -> bool:
        return any(one.target == WriteBack.Target.CHART and one.written for one in self.kept)

    @property
    def in_archive(self) -> bool:
        return any(one.target == WriteBack.Target.ARCHIVE and one.written for one in self.kept)

    @property
    def records(self) -> list[Any]:
        if self.assessment is None or self.outcome is None or self.context is None:
            return []
        at: datetime = self.assessment.finished_at or timezone.now()
        return list(self.service.records(self.outcome, self.context, assessment_id=str(self.assessment.id), at=at))

    @property
    def will_write(self) -> list[str]:
        """In the words of the button's explanation."""
        return [_record_in_words(record) for record in self.records]

    @property
    def obstacle(self) -> str:
        """Why nothing can be saved; "" if it can."""
        if self.undo and (self.undo.left or not self.undo.written):
            return "It cannot be saved any more: saving it was called off."
        if not self.records:
            return "There is no estimate to save."
        if enabled(self.session.ehr, self.service).write_back == EnabledService.WriteBackPolicy.OFF:
            return "Saving is switched off for this record system."
        if not any(self.session.grant.may(kind, "c") for kind in WriteBack.Form.values):
            return "The record system did not give Bedside permission to save."
        return ""

    # --- Reporting -----------------------------------------------------------------------------------------------
    @cached_property
    def reported(self) -> str:
        """What this clinician has reported as wrong, in the words of the form; "" if nothing."""
        if self.assessment is None:
            return ""
        row = self.assessment.feedback.filter(outcome=Feedback.Outcome.WRONG, actor=self.session.grant.actor).first()
        return WRONG.get(row.reason, row.reason) if row else ""

    @property
    def reasons(self) -> dict[str, str]:
        return WRONG

    # --- About ---------------------------------------------------------------------------------------------------
    @cached_property
    def model(self) -> ModelVersion | None:
        """The version that answered, which need not be the one in use by now."""
        if not self.service.model or self.assessment is None:
            return None
        return ModelVersion.objects.filter(name=self.service.model, version=self.assessment.model_version).first()

    @property
    def about(self) -> str:
        return self.service.about(self.model.facts) if self.model else ""

    @property
    def not_for(self) -> str:
        return chapter(self.service, "Not for") if has_card(self.service) else ""


def _with_category(need: Need) -> str:
    return f"{need.resource} ({need.category})" if need.category else need.resource


def failure_card(service: DecisionService) -> Card:
    """The card's words, so that card and page say the same."""
    return failed(service.subject)


def _record_in_words(record: object) -> str:
    match record:
        case RiskAssessmentRecord():
            return "a risk assessment"
        case ObservationRecord():
            return f"an observation ({measured(record.value)})"
        case ReportRecord():
            return "a report for the archive (DICOM SR and PDF)"
        case _:
            return type(record).__name__

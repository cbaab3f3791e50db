"""The contract of a decision service: what it needs, how it decides, what it says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from msgspec import Struct

from cds.cards import Card
from cds.context import PatientContext
from cds.finding import NotApplicable, Outcome
from cds.needs import ArchiveNeed, Need
from cds.records import ObservationRecord, ReportRecord, RiskAssessmentRecord
from scoring.shelf import Model

Record = RiskAssessmentRecord | ObservationRecord | ReportRecord


class Rule(Struct, frozen=True, kw_only=True):
    """One clinical rule in words that a clinician can review, with its source ("ours" for an engineering choice)."""

    key: str
    text: str
    source: str


class Trend(Struct, frozen=True, kw_only=True):
    """One panel of the page's "over time": an analyte and its cut-offs, in the analyte's unit."""

    analytes: tuple[str, ...]
    title: str
    unit: str
    cut_offs: Mapping[float, str]


class Truth(Struct, frozen=True, kw_only=True):
    """What turned out later: the label as the model's recipe defines it, the moment that it is of, how it is known."""

    label: bool
    at: datetime
    known_by: Literal["result", "diagnosis"]


class DecisionService:
    """Subclass it, decorate with `registry.register`. It computes; it reads no network, no database, no clock."""

    id: ClassVar[str]
    version: ClassVar[str]  # of the code: part of the fingerprint, so a changed rule is never answered from the past
    title: ClassVar[str]
    subject: ClassVar[str]  # what is looked for, as in "Could not check for {subject} just now"
    description: ClassVar[str]
    hooks: ClassVar[tuple[str, ...]]  # names of the CDS Hooks library: one endpoint answers all of them
    needs: ClassVar[tuple[Need, ...]]
    asked_again_by: ClassVar[tuple[str, ...]] = ()  # keys of needs: a new result of these is a reason to ask again
    rules: ClassVar[tuple[Rule, ...]]
    trends: ClassVar[tuple[Trend, ...]] = ()
    snoozes: ClassVar[Mapping[str, timedelta]] = {}  # override reason -> for how long its rule is silent
    model: ClassVar[str | None] = None
    threshold: ClassVar[float] = 0.0
    source_attributes: ClassVar[
        Mapping[str, str]
    ] = {}  # what only people can say of the model: cds/source_attributes.py

    def assess(self, context: PatientContext, *, model: Model | None, threshold: float) -> Outcome:
        """The answer; `threshold` is a fraction."""
        raise NotImplementedError

    def archive(self, context: PatientContext) -> ArchiveNeed | None:
        """What the DICOM archive could add to these facts; None where it would change nothing, so that it is not asked."""
        return None

    def lacking(self, context: PatientContext) -> tuple[str, ...]:
        """The key values without which it is no use to ask, by name, for callers who send the facts themselves.

        Who opens a chart gets NotEnoughData instead: there nobody chose what is in it.
        """
        return ()

    def alerts_at(self, outcome: Outcome, threshold: float) -> bool:
        """Would this answer raise a card at another threshold (a fraction)?

        The threshold decides nothing but between the rules "model-high" and "model-low", where a service has them. Below
        the threshold nobody looked whether the test is ordered already.
        """
        if isinstance(outcome, NotApplicable):
            return False
        if outcome.estimate is None or outcome.rule not in {"model-high", "model-low"}:
            return outcome.alert
        return outcome.estimate.probability >= threshold and (outcome.alert or outcome.rule == "model-low")

    def cards(self, outcome: Outcome, context: PatientContext) -> list[Card]:
        """The cards worth showing; [] means: looked, nothing to say."""
        raise NotImplementedError

    def sentence(self, outcome: Outcome, context: PatientContext) -> str:
        """The page's answer in one sentence; there is one for every outcome."""
        raise NotImplementedError

    def records(self, outcome: Outcome, context: PatientContext, *, assessment_id: str, at: datetime) -> list[Record]:
        """What "Save to chart" writes; [] where there is nothing to keep."""
        raise NotImplementedError

    def about(self, facts: Mapping[str, Any]) -> str:
        """How the model was made and how well it does, in one paragraph, from the model's own facts."""
        raise NotImplementedError

    def row(self, context: PatientContext) -> tuple[float, ...] | None:
        """What the model sees, in its order of features, nan where missing; None where it is not the model that decides."""
        return None

    def truth(self, context: PatientContext, *, since: datetime) -> Truth | None:
        """What a later look at the record says about the question of `since`; None where it says nothing yet."""
        return None

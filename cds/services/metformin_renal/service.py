"""The decision: is it metformin, is it new, do the kidneys allow it. The words are in cards.py."""

from __future__ import annotations

from datetime import date, datetime

from cds import analytes
from cds.cards import Card
from cds.context import PatientContext
from cds.dates import months_before
from cds.facts import Drug, Observed
from cds.finding import Finding, Missing, NotApplicable, NotEnoughData, Outcome
from cds.needs import ArchiveNeed, Need
from cds.registry import register
from cds.service import DecisionService, Record, Trend
from cds.services.metformin_renal import cards, contrast, kidneys, rules
from cds.services.metformin_renal.kidneys import Filtration, Rise
from cds.services.metformin_renal.value_sets import is_metformin, is_named
from scoring.shelf import Model

_NAMED = 3  # how many newer results that could not be used are named


@register
class MetforminRenal(DecisionService):
    """Speaks when metformin is being prescribed; on the page it also looks at metformin that is taken."""

    id = "metformin-renal"
    version = "1.2.0"
    title = "Metformin and kidney function"
    subject = "a kidney problem with metformin"
    description = (
        "Do the kidneys allow metformin, to start it or to go on? The FDA's labelling of 2016, applied to the latest eGFR "
        "or creatinine. Rules, no model. Advisory: it supports and never replaces clinical judgement."
    )
    hooks = ("order-sign", "order-select")
    needs = (
        Need.patient(),
        Need.observations("kidneys", analytes.EGFR, analytes.CREATININE, category="laboratory", required=True),
        Need.resources("medications", "MedicationRequest"),
        Need.resources("imaging", "ImagingStudy", "_sort=-started&_count=50"),
    )
    trends = (
        Trend(
            analytes=("egfr",),
            title="eGFR",
            unit=analytes.EGFR.unit,
            cut_offs={rules.CONTRAINDICATED_BELOW: "least to go on", rules.NOT_STARTED_BELOW: "least to start"},
        ),
        Trend(analytes=("creatinine",), title="Creatinine", unit=analytes.CREATININE.unit, cut_offs={}),
    )
    rules = rules.RULES

    def assess(self, context: PatientContext, *, model: Model | None, threshold: float) -> Outcome:
        if context.patient.deceased:
            return NotApplicable(rule="deceased")
        if not _about_metformin(context):
            if _unreadable(context):
                return NotEnoughData(rule="draft-unreadable", alert=True, missing=())
            return NotApplicable(rule="not-metformin")
        return _decide(context, taken=taken(context))

    def archive(self, context: PatientContext) -> ArchiveNeed | None:
        """Contrast matters where metformin is prescribed or taken; radiology's own list is quicker than the chart's."""
        if context.patient.deceased or not _about_metformin(context):
            return None
        return ArchiveNeed(key="imaging", within=rules.CONTRAST_REMEMBERED, studies=True)

    def cards(self, outcome: Outcome, context: PatientContext) -> list[Card]:
        return cards.cards(outcome, context)

    def sentence(self, outcome: Outcome, context: PatientContext) -> str:
        return cards.sentence(outcome, context)

    def records(self, outcome: Outcome, context: PatientContext, *, assessment_id: str, at: datetime) -> list[Record]:
        """A warning about a prescription is no finding about the patient: nothing enters the chart."""
        return []


def _about_metformin(context: PatientContext) -> bool:
    """What is being prescribed; where nobody prescribes, what is taken."""
    if context.ordering is None:
        return taken(context)
    return any(is_metformin(drug) for drug in context.ordering.chosen_drugs)


def _unreadable(context: PatientContext) -> bool:
    """May one of the prescriptions be metformin, for all that can be read of it?"""
    ordering = context.ordering
    return ordering is not None and (ordering.unread > 0 or not all(map(is_named, ordering.chosen_drugs)))


def taken(context: PatientContext) -> bool:
    """Is metformin on the record as taken: active, or completed and not old?"""
    since = months_before(context.today, rules.LOOK_BACK_MONTHS)
    return any(is_metformin(drug) and _goes_on(drug, since) for drug in context.drugs)


def _goes_on(drug: Drug, since: date) -> bool:
    recent = drug.start is not None and drug.start.day >= since
    return drug.status == "active" or (drug.status == "completed" and recent)


def _decide(context: PatientContext, *, taken: bool) -> Outcome:
    found, risen = kidneys.filtration(context), kidneys.rise(context)
    cautions = _cautions(context, found, risen)
    if found is None and risen is None:
        rule = "no-egfr-this-year" if taken else "no-egfr-before-start"
        return NotEnoughData(rule=rule, alert=True, missing=_missing(context), cautions=cautions)
    rule = _rule(context, found, risen, taken=taken)
    steady = risen is None and not (found is not None and found.may_contraindicate)
    quiet = rule in {"no-objection", "newer-unusable"} or (rule == "reassess" and steady)
    return Finding(
        rule=rule,
        alert=rule != "no-objection",
        indicator="info" if quiet else "warning",
        evidence=_evidence(found, risen),
        cautions=cautions,
    )


def _rule(context: PatientContext, found: Filtration | None, risen: Rise | None, *, taken: bool) -> str:
    if found is not None and found.contraindicates:
        return "contraindicated"
    if found is not None and found.forbids_starting and not taken:
        return "not-recommended"
    if contrast.forbids(found, contrast.study(context)):
        return "contrast"
    if found is not None and found.forbids_starting:
        return "reassess"
    if risen is not None:
        return "unsteady"
    return "newer-unusable" if kidneys.passed_over(context) else "no-objection"


def _evidence(found: Filtration | None, risen: Rise | None) -> tuple[Observed, ...]:
    facts = [found.fact] if found else []
    return tuple(dict.fromkeys([*facts, *([risen.after, risen.before] if risen else [])]))


def _missing(context: PatientContext) -> tuple[Missing, ...]:
    """With the date of the last one, if it is too old to use."""
    asked = (analytes.EGFR, analytes.CREATININE)
    lacking = [analyte for analyte in asked if not kidneys.recent(context, analyte.key)]
    return tuple(
        Missing(label=analyte.title, last=next((fact.when for fact in context.all(analyte.key)), None))
        for analyte in lacking
    )


def _cautions(context: PatientContext, found: Filtration | None, risen: Rise | None) -> tuple[str, ...]:
    """What the reader must know beside the answer."""
    said = [cards.computed(found)] if found and found.computed else []
    said += [cards.risen(risen)] if risen else []
    said += [cards.contrast_given(given)] if (given := contrast.study(context)) else []
    said += [cards.perhaps_lower(found)] if found and found.may_contraindicate else []
    said += [cards.contrary(later)] if (later := kidneys.contrary(context)) else []
    said += [cards.unsettled(fact) for fact in kidneys.unsettled(context)]
    said += [cards.unusable(issue) for issue in kidneys.unusable(context)[:_NAMED]]
    if found is None and kidneys.recent(context, "creatinine"):
        said.append("eGFR could not be computed from creatinine: that needs an adult's age, and male or female as sex.")
    if contrast.unknown(context):
        said.append("Imaging studies could not be read, so whether contrast was given lately is not known.")
    if "medications" in context.unread:
        said.append("Medications could not be read from the record, so metformin is taken for new.")
    return tuple(said)

"""What "Save to chart" keeps of an answer. Nothing here asserts the disease: the outcome is a code of our own."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

from cds.codes import OURS, Code
from cds.context import PatientContext
from cds.facts import Quantity
from cds.finding import Estimate, Finding, NotApplicable, NotEnoughData, Outcome
from cds.records import Algorithm, ObservationRecord, ReportRecord, RiskAssessmentRecord
from cds.service import Record
from cds.services.diabetes.cards import number, sentence, unit

OUTCOME = Code(f"{OURS}/outcome", "hba1c-6.5-undiagnosed")
OUTCOME_TEXT = "HbA1c >= 6.5 %, diabetes not diagnosed"
PROBABILITY = Code(f"{OURS}/observation", "hba1c-6.5-p")
PRESENT = "It looks for diabetes that is there now; it does not foretell diabetes to come."
MOST_ISSUES = 5  # of those that a report names; the page has them all
PROBABILITY_TEXT = "Probability of HbA1c >= 6.5 %, diabetes not diagnosed"


def records(outcome: Outcome, context: PatientContext, *, assessment_id: str, at: datetime) -> list[Record]:
    """RiskAssessment, Observation and report; nothing where there is no estimate."""
    if isinstance(outcome, NotApplicable) or outcome.estimate is None:
        return []
    guess, said, patient_id = outcome.estimate, sentence(outcome, context), context.patient.id
    algorithm = Algorithm(
        name=guess.model, version=guess.version, title="Bedside diabetes-risk", card=_card(guess.model, guess.version)
    )
    basis = tuple(sorted({factor.source for factor in guess.factors if factor.source}))
    measured = ObservationRecord(
        identifier=f"{assessment_id}-observation",
        code=PROBABILITY,
        display=PROBABILITY_TEXT,
        patient_id=patient_id,
        at=at,
        value=Quantity(value=round(guess.probability * 100, 1), unit="%"),
        algorithm=algorithm,
        derived_from=basis,
        note=said,
    )
    risk = RiskAssessmentRecord(
        identifier=assessment_id,
        patient_id=patient_id,
        at=at,
        outcome=OUTCOME,
        outcome_text=OUTCOME_TEXT,
        probability=guess.probability,
        qualitative=_level(guess),
        algorithm=algorithm,
        basis=basis,
        rationale=rationale(guess),
    )
    return [measured, risk, _report(risk, guess, said=said, doubtful=doubts(outcome, context))]


def _report(risk: RiskAssessmentRecord, guess: Estimate, *, said: str, doubtful: tuple[str, ...]) -> ReportRecord:
    """The same result as the archive keeps it."""
    return ReportRecord(
        assessment_id=risk.identifier,
        at=risk.at,
        title="Estimate of undiagnosed diabetes",
        outcome=OUTCOME,
        outcome_text=OUTCOME_TEXT,
        qualitative=risk.qualitative,
        estimate=guess,
        algorithm=risk.algorithm,
        conclusion=said,
        doubts=doubtful,
        limits=limits(risk.algorithm.card),
    )


@cache
def _card(model: str, version: str) -> str:
    """The model card of this folder, if it is the one of this version; the card of another would describe another."""
    card = (Path(__file__).parent / "MODEL_CARD.md").read_text(encoding="utf-8")
    return card if card.startswith(f"# {model} {version}\n") else ""


def doubts(outcome: Finding | NotEnoughData, context: PatientContext) -> tuple[str, ...]:
    """As the page says them under "Missing or doubtful"."""
    unusable = dict.fromkeys(f"Not used: {issue.reason}" for issue in context.issues)
    return (*outcome.cautions, *(missing.in_words for missing in outcome.missing), *list(unusable)[:MOST_ISSUES])


def limits(card: str) -> tuple[str, ...]:
    """From the model card, in one line."""
    not_for = " ".join(card.partition("\n## Not for\n")[2].partition("\n## ")[0].split())
    return (PRESENT, *([f"Not for: {not_for[:1].lower()}{not_for[1:]}"] if not_for else []))


def _level(guess: Estimate) -> str:
    """Relative to the threshold that was used: ours, as no guideline names bands for this probability."""
    if guess.probability >= 2 * guess.threshold:
        return "high"
    return "moderate" if guess.probability >= guess.threshold else "low"


def rationale(guess: Estimate) -> str:
    """Each known factor with value, unit, date and contribution."""
    known = [factor for factor in guess.factors if factor.quantity and factor.when]
    return "; ".join(
        f"{factor.label} {number(factor.quantity.value)} {unit(factor.quantity.unit)} ({factor.when.text[:10]}), "
        f"{factor.contribution:+.3f} log-odds"
        for factor in known
        if factor.quantity and factor.when
    )

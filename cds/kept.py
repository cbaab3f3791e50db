"""What "Save to chart" keeps of an estimate: an observation, a risk assessment and a report, whatever is estimated.

Nothing here asserts a disease: the outcome is a code of our own.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

from msgspec import Struct

from cds.codes import OURS, Code
from cds.context import PatientContext
from cds.detail import number, unit
from cds.facts import Quantity
from cds.finding import Estimate, Finding, NotApplicable, NotEnoughData, Outcome
from cds.records import Algorithm, ObservationRecord, ReportRecord, RiskAssessmentRecord

MOST_ISSUES = 5  # of those that a report names; the page has them all
LONGEST_NAME = 64  # bytes, as `cds.dicom.words.line` has them: what is cut off of a name may be its "not"


class Estimated(Struct, frozen=True, kw_only=True):
    """What is estimated, in the words of chart and archive. `folder`: the plug-in's, where its model card is."""

    key: str  # of the outcome among our codes, as "hba1c-6.5-undiagnosed"
    text: str
    probability_key: str
    title: str  # of the report
    present: str  # that it is present disease, in a sentence
    folder: Path

    def __post_init__(self) -> None:
        if len(self.name.encode()) > LONGEST_NAME:
            raise ValueError(f"{self.name!r} is longer than {LONGEST_NAME} bytes")

    @property
    def name(self) -> str:
        """Of the observation."""
        return f"Probability of {self.text}"

    def records(
        self, outcome: Outcome, context: PatientContext, *, said: str, assessment_id: str, at: datetime
    ) -> list[ObservationRecord | RiskAssessmentRecord | ReportRecord]:
        """Nothing where there is no estimate. `said`: the page's sentence."""
        if isinstance(outcome, NotApplicable) or outcome.estimate is None:
            return []
        guess = outcome.estimate
        algorithm = Algorithm(
            name=guess.model,
            version=guess.version,
            title=f"Bedside {guess.model}",
            card=_card(self.folder, guess.model, guess.version),
        )
        basis = tuple(sorted({factor.source for factor in guess.factors if factor.source}))
        measured = ObservationRecord(
            identifier=f"{assessment_id}-observation",
            code=Code(f"{OURS}/observation", self.probability_key),
            display=self.name,
            patient_id=context.patient.id,
            at=at,
            value=Quantity(value=round(guess.probability * 100, 1), unit="%"),
            algorithm=algorithm,
            derived_from=basis,
            note=said,
        )
        risk = RiskAssessmentRecord(
            identifier=assessment_id,
            patient_id=context.patient.id,
            at=at,
            outcome=Code(f"{OURS}/outcome", self.key),
            outcome_text=self.text,
            probability=guess.probability,
            qualitative=_level(guess),
            algorithm=algorithm,
            basis=basis,
            rationale=rationale(guess),
        )
        return [measured, risk, self._report(risk, guess, said=said, doubtful=doubts(outcome, context))]

    def _report(
        self, risk: RiskAssessmentRecord, guess: Estimate, *, said: str, doubtful: tuple[str, ...]
    ) -> ReportRecord:
        """The same result as the archive keeps it."""
        return ReportRecord(
            assessment_id=risk.identifier,
            at=risk.at,
            title=self.title,
            outcome=risk.outcome,
            outcome_text=risk.outcome_text,
            qualitative=risk.qualitative,
            estimate=guess,
            algorithm=risk.algorithm,
            conclusion=said,
            doubts=doubtful,
            limits=(self.present, *_not_for(risk.algorithm.card)),
        )


@cache
def _card(folder: Path, model: str, version: str) -> str:
    """The model card of this folder, if it is the one of this version; the card of another would describe another."""
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    return card if card.startswith(f"# {model} {version}\n") else ""


def doubts(outcome: Finding | NotEnoughData, context: PatientContext) -> tuple[str, ...]:
    """As the page says them under "Missing or doubtful"."""
    unusable = dict.fromkeys(f"Not used: {issue.reason}" for issue in context.issues)
    return (*outcome.cautions, *(missing.in_words for missing in outcome.missing), *list(unusable)[:MOST_ISSUES])


def _not_for(card: str) -> tuple[str, ...]:
    """From the model card, in one line."""
    not_for = " ".join(card.partition("\n## Not for\n")[2].partition("\n## ")[0].split())
    return (f"Not for: {not_for[:1].lower()}{not_for[1:]}",) if not_for else ()


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

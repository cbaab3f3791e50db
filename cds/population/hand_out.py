"""What the outside system that asked gets about each patient: made while the answer is at hand, kept until it expires.

A RiskAssessment for who was scored, an OperationOutcome with the reason for everybody else: patients in = lines out.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from functools import cache

import msgspec

from cds.codes import OURS
from cds.context import PatientContext
from cds.errors import FhirInvalid
from cds.fhir import write
from cds.fhir.elements import Resource
from cds.fhir.transparency import IDENTIFIERS, INSIDE, device_inside, status_of
from cds.finding import Finding, NotEnoughData, Outcome
from cds.models import PopulationResult
from cds.population.fold import Answer, Asking
from cds.records import Algorithm, ConclusionRecord, RiskAssessmentRecord

logger = logging.getLogger(__name__)

RESULT = f"{IDENTIFIERS}/population-result"  # of who has no case file
REASON = f"{OURS}/not-scored"
PATIENT = "https://bedside.dev/fhir/StructureDefinition/patient"
_Said = PopulationResult.Outcome
_ISSUES = {  # severity and code of R4's issue-severity and issue-type
    _Said.NOT_APPLICABLE: ("information", "informational"),
    _Said.NOT_ENOUGH_DATA: ("warning", "required"),
    _Said.FAILED: ("error", "processing"),
}


def hand_out(asking: Asking, answers: Sequence[Answer]) -> None:
    """Each row gets its resource; what cannot be said validly in FHIR is a failure, and said as one."""
    for answer in answers:
        answer.result.resource = msgspec.json.encode(_resource(asking, answer))


def _resource(asking: Asking, answer: Answer) -> Resource:
    if answer.result.outcome == _Said.SCORED and answer.context and answer.outcome:
        try:
            return _risk_assessment(asking, answer, answer.outcome, answer.context)
        except FhirInvalid as error:
            logger.error("run %s: %s", asking.run.pk, error)
            answer.result.outcome, answer.result.reason = _Said.FAILED, type(error).__name__
    return _not_scored(answer)


def _risk_assessment(asking: Asking, answer: Answer, outcome: Outcome, context: PatientContext) -> Resource:
    """Preliminary: nobody has confirmed it."""
    row = answer.result
    key = str(row.assessment_id or uuid.uuid5(asking.run.pk, row.pseudonym))
    records = asking.service.records(outcome, context, assessment_id=key, at=asking.now)
    risk = next((record for record in records if isinstance(record, RiskAssessmentRecord)), None)
    status = status_of("")
    if risk is not None:
        made, algorithm = write.risk_assessment(risk, device=INSIDE, basis=(), status=status), risk.algorithm
    else:
        said = _conclusion(asking, outcome, context, key)
        made, algorithm = write.conclusion(said, device=INSIDE, status=status), said.algorithm
    if row.assessment_id is None:
        made["identifier"] = [{"system": RESULT, "value": key}]
    return {**write.require_valid(made), "id": key, "contained": [_author(algorithm)]}


def _conclusion(asking: Asking, outcome: Outcome, context: PatientContext, key: str) -> ConclusionRecord:
    """Where a rule spoke and no model."""
    service = asking.service
    evidence = outcome.evidence if isinstance(outcome, Finding) else ()
    return ConclusionRecord(
        identifier=key,
        patient_id=context.patient.id,
        at=asking.now,
        outcome_text=service.subject,
        algorithm=Algorithm(name=service.id, version=service.version, title=service.title, card=""),
        basis=tuple(dict.fromkeys(fact.source for fact in evidence)),
        rationale=service.sentence(outcome, context),
    )


@cache
def _author(algorithm: Algorithm) -> Resource:
    """The same in every line, and so held against the models once."""
    author = device_inside(algorithm)
    write.require_valid(author)
    return author


def _not_scored(answer: Answer) -> Resource:
    """No value of the patient's; of who opted out not even who it was: nothing about them is kept."""
    row = answer.result
    issue = _issue(_Said(row.outcome), row.reason, text=_words(answer))
    if row.reason != "opted-out":
        subject = {"url": PATIENT, "valueReference": {"reference": f"Patient/{answer.patient_id}"}}
        issue = {"extension": [subject], **issue}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def of_who_left(row: PopulationResult) -> bytes:
    """What is given out instead of what was found: why, and not who."""
    why = PopulationResult.Left(row.left)
    issue = _issue(_Said.NOT_APPLICABLE, why.value, text=f"{_Said.NOT_APPLICABLE.label}: {why.label}")
    return msgspec.json.encode({"resourceType": "OperationOutcome", "issue": [issue]})


def _issue(outcome: PopulationResult.Outcome, reason: str, *, text: str) -> Resource:
    severity, code = _ISSUES[outcome]
    return {
        "severity": severity,
        "code": code,
        "details": {"coding": [{"system": REASON, "code": reason}], "text": text},
    }


def _words(answer: Answer) -> str:
    said = f"{_Said(answer.result.outcome).label}: {answer.result.reason}"
    if isinstance(answer.outcome, NotEnoughData) and answer.outcome.missing:
        said += f" (missing: {', '.join(missing.label for missing in answer.outcome.missing)})"
    return said

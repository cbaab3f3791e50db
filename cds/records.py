"""What should enter the chart or the archive, before any FHIR version or DICOM class is chosen.

A service makes an observation, a risk assessment and a report; `cds.fallbacks` makes of them what an EHR takes instead.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from cds.codes import LABORATORY_PROCEDURE, Code
from cds.facts import Quantity
from cds.finding import Estimate, Factor


class Algorithm(Struct, frozen=True, kw_only=True):
    """What computed the result; `card` is its model card in Markdown, "" if there is none."""

    name: str
    version: str
    title: str
    card: str = ""


class OrderRecord(Struct, frozen=True, kw_only=True):
    """A draft order of one test; `category` as FHIR's servicerequest-category has it, None where none of it fits."""

    code: Code
    display: str
    patient_id: str
    reason: str
    category: Code | None = LABORATORY_PROCEDURE


class ObservationRecord(Struct, frozen=True, kw_only=True):
    """The probability as an observation, in percent."""

    identifier: str
    code: Code
    display: str
    patient_id: str
    at: datetime
    value: Quantity
    algorithm: Algorithm
    derived_from: tuple[str, ...] = ()
    note: str = ""


class RiskAssessmentRecord(Struct, frozen=True, kw_only=True):
    """A probability (a fraction here; percent in FHIR) of `outcome` at `at`: present disease, not a forecast."""

    identifier: str
    patient_id: str
    at: datetime
    outcome: Code
    outcome_text: str
    probability: float
    qualitative: str
    algorithm: Algorithm
    basis: tuple[str, ...]
    rationale: str


class ConclusionRecord(Struct, frozen=True, kw_only=True):
    """What a rule concludes about the patient, where no model gives a probability."""

    identifier: str
    patient_id: str
    at: datetime
    outcome_text: str
    algorithm: Algorithm
    basis: tuple[str, ...]
    rationale: str


class DiagnosticReportRecord(Struct, frozen=True, kw_only=True):
    """A conclusion in words about the ObservationRecords that are written with it."""

    identifier: str
    patient_id: str
    at: datetime
    code: Code
    display: str
    conclusion: str
    algorithm: Algorithm
    basis: tuple[str, ...] = ()


class DocumentRecord(Struct, frozen=True, kw_only=True):
    """The result as a document that people read: in plain text, and as a page (PDF) where there is one."""

    identifier: str
    patient_id: str
    at: datetime
    code: Code
    display: str
    title: str
    text: str
    page: bytes = b""
    algorithm: Algorithm
    basis: tuple[str, ...] = ()


Charted = ObservationRecord | RiskAssessmentRecord | DiagnosticReportRecord | DocumentRecord


class ReportRecord(Struct, frozen=True, kw_only=True):
    """The result as a report for the archive, as a PDF too; identity is the record number's, not Patient.id's.

    `doubts`: what is missing or doubtful in this answer; `limits`: what the model must not be used for.
    """

    assessment_id: str
    at: datetime
    title: str
    outcome: Code
    outcome_text: str
    qualitative: str
    estimate: Estimate
    algorithm: Algorithm
    conclusion: str
    doubts: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def factors(self) -> tuple[Factor, ...]:
        return self.estimate.factors


class Verification(Struct, frozen=True, kw_only=True):
    """A clinician vouches for a report's content: who, of which organization, when."""

    name: str
    organization: str
    at: datetime

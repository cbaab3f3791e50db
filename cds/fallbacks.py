"""The same answer in a form that more EHRs take: a diagnostic report over the observation, or a document to read."""

from __future__ import annotations

from cds.codes import RISK_ASSESSMENT_DOCUMENT
from cds.finding import Factor
from cds.records import DiagnosticReportRecord, DocumentRecord, ObservationRecord, ReportRecord
from cds.words import day, measured

_TITLE = "Risk assessment Document"  # LOINC's display


def as_diagnostic_report(report: ReportRecord, observation: ObservationRecord) -> DiagnosticReportRecord:
    """To be written with `observation`, which is its result."""
    return DiagnosticReportRecord(
        identifier=f"{report.assessment_id}-report",
        patient_id=observation.patient_id,
        at=report.at,
        code=RISK_ASSESSMENT_DOCUMENT,
        display=_TITLE,
        conclusion=report.conclusion,
        algorithm=report.algorithm,
        basis=observation.derived_from,
    )


def as_document(report: ReportRecord, observation: ObservationRecord, *, page: bytes = b"") -> DocumentRecord:
    """In plain text; beside it `page`, a PDF."""
    return DocumentRecord(
        identifier=f"{report.assessment_id}-document",
        patient_id=observation.patient_id,
        at=report.at,
        code=RISK_ASSESSMENT_DOCUMENT,
        display=_TITLE,
        title=report.title,
        text=in_words(report, observation),
        page=page,
        algorithm=report.algorithm,
        basis=observation.derived_from,
    )


def in_words(report: ReportRecord, observation: ObservationRecord) -> str:
    """One page of plain text: the answer, the number, what it rests on, and what it is not."""
    lines = [
        report.title,
        f"{report.at:%Y-%m-%d %H:%M %Z}",
        "",
        report.conclusion,
        f"{observation.display}: {measured(observation.value)} ({report.qualitative})",
        "",
        "What it rests on:",
        *(f"- {_factor(factor)}" for factor in report.factors),
        "",
        f"Computed by {report.algorithm.title} {report.algorithm.version}, an artificial intelligence. "
        "It supports and never replaces clinical judgement, and it is no diagnosis.",
    ]
    return "\n".join(lines) + "\n"


def _factor(factor: Factor) -> str:
    """Value with unit and date, and which way it moved the probability."""
    value = measured(factor.quantity) if factor.quantity else factor.text
    dated = f" ({day(factor.when)})" if factor.when else ""
    return f"{factor.label}: {value}{dated}, {'raises' if factor.contribution > 0 else 'lowers'} it"

"""What is filed of a report in an archive: the structured one and its PDF twin, together."""

from __future__ import annotations

from pydicom.dataset import FileDataset

from cds.dicom.pdf import encapsulated_pdf
from cds.dicom.report import structured_report
from cds.identity import PatientIdentity
from cds.models import Ehr
from cds.records import ObservationRecord, ReportRecord, Verification
from cds.report_pdf import report_pdf


def instances(
    report: ReportRecord,
    *,
    measured: ObservationRecord,
    patient: PatientIdentity,
    ehr: Ehr,
    verified: Verification | None = None,
) -> tuple[FileDataset, FileDataset]:
    """The same whenever they are made. `verified`: made anew under the name of who vouches for it, beside the first ones."""
    structured = structured_report(report, measured=measured, patient=patient, verified=verified)
    page = report_pdf(report, patient=patient, hospital=ehr.name, is_test=ehr.is_test, verified=verified)
    return structured, encapsulated_pdf(report, page, report=structured, patient=patient, verified=verified)

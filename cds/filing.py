"""File a report in its EHR's archive: the structured one and its PDF twin, together."""

from __future__ import annotations

from pydicom.dataset import FileDataset

from cds.connect import archive_of
from cds.dicom.deliver import Delivered, deliver
from cds.dicom.pdf import encapsulated_pdf
from cds.dicom.report import structured_report
from cds.identity import PatientIdentity
from cds.models import Ehr
from cds.records import ObservationRecord, ReportRecord, Verification
from cds.report_pdf import report_pdf


def file_report(
    report: ReportRecord,
    *,
    measured: ObservationRecord,
    patient: PatientIdentity,
    ehr: Ehr,
    verified: Verification | None = None,
) -> Delivered:
    """Filing again is harmless. `verified`: filed anew under the name of who vouches for it; the first one stays."""
    made = instances(report, measured=measured, patient=patient, ehr=ehr, verified=verified)
    return deliver(made, to=archive_of(ehr))


def instances(
    report: ReportRecord,
    *,
    measured: ObservationRecord,
    patient: PatientIdentity,
    ehr: Ehr,
    verified: Verification | None = None,
) -> tuple[FileDataset, FileDataset]:
    structured = structured_report(report, measured=measured, patient=patient, verified=verified)
    page = report_pdf(report, patient=patient, hospital=ehr.name, is_test=ehr.is_test, verified=verified)
    return structured, encapsulated_pdf(report, page, report=structured, patient=patient, verified=verified)

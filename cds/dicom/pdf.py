"""The report's twin that any viewer shows: Encapsulated PDF (PS3.3, A.45.1)."""

from __future__ import annotations

from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import EncapsulatedPDFStorage

from cds.dicom import words
from cds.dicom.content import Name, concept
from cds.dicom.header import begun
from cds.identity import PatientIdentity
from cds.records import ReportRecord, Verification

_TITLE = Name("71482-4", "LN", "Risk assessment Document")


def encapsulated_pdf(
    record: ReportRecord,
    content: bytes,
    *,
    report: FileDataset,
    patient: PatientIdentity,
    verified: Verification | None = None,
) -> FileDataset:
    """`content` says in words and pictures what `report`, the structured one, says in codes."""
    uid = words.uid(record.assessment_id, "verified-pdf" if verified else "pdf")
    at = verified.at if verified else record.at
    dataset = begun(record, sop_class=EncapsulatedPDFStorage, uid=uid, at=at, patient=patient)
    dataset.Modality, dataset.ConversionType = "DOC", "WSD"
    dataset.SeriesInstanceUID = words.uid(record.assessment_id, "pdf-series")
    dataset.SeriesNumber, dataset.InstanceNumber = 2, 2 if verified else 1
    dataset.AcquisitionDateTime = ""
    dataset.BurnedInAnnotation = "YES"  # the page names the patient
    dataset.DocumentTitle = words.line(record.title)
    dataset.ConceptNameCodeSequence = [concept(_TITLE)]
    dataset.VerificationFlag = "VERIFIED" if verified else "UNVERIFIED"
    dataset.SourceInstanceSequence = [_reference(report)]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(content)
    dataset.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    return dataset


def _reference(instance: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = instance.SOPClassUID, instance.SOPInstanceUID
    return item

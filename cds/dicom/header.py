"""What every object of ours says of patient, study and equipment (PS3.3, C.7), and how it is filed."""

from __future__ import annotations

from datetime import datetime

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from cds.codes import OURS
from cds.dicom import words
from cds.dicom.content import SCHEME
from cds.errors import BadInput
from cds.identity import PatientIdentity
from cds.records import Algorithm, ReportRecord

MANUFACTURER = "Bedside"
_SEX = {"male": "M", "female": "F", "other": "O"}  # anything else is left empty: there is no code for "unknown"


def begun(record: ReportRecord, *, sop_class: UID, uid: UID, at: datetime, patient: PatientIdentity) -> FileDataset:
    """An instance without content; `at`: when its content was made."""
    dataset = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128, is_implicit_VR=False)
    dataset.SpecificCharacterSet = "ISO_IR 192"  # UTF-8; another declaration passes validators and loses names
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.ContentDate, dataset.ContentTime = f"{at:%Y%m%d}", f"{at:%H%M%S}"
    dataset.TimezoneOffsetFromUTC = f"{at:%z}"[:5]
    _patient(dataset, patient)
    _study(dataset, record)
    _equipment(dataset, record.algorithm)
    dataset.CodingSchemeIdentificationSequence = [_scheme()]
    return dataset


def _patient(dataset: Dataset, patient: PatientIdentity) -> None:
    if not patient.mrn:
        raise BadInput("the record names no single record number of the patient; an administrator can set its system")
    dataset.PatientName = words.person_name(family=patient.family, given=patient.given, middle=patient.middle)
    dataset.PatientID = words.identifying(patient.mrn, what="the record number")
    dataset.PatientBirthDate = patient.birth_date.isoformat().replace("-", "") if patient.birth_date else ""
    dataset.PatientSex = _SEX.get(patient.sex, "")
    if patient.issuer:
        dataset.IssuerOfPatientIDQualifiersSequence = [issuer(patient.issuer)]


def issuer(system: str) -> Dataset:
    """Who gave the record number: an OID, or the address that FHIR names it by."""
    item = Dataset()
    oid = system.removeprefix("urn:oid:")
    item.UniversalEntityID, item.UniversalEntityIDType = (oid, "ISO") if oid != system else (system, "URI")
    return item


def _study(dataset: Dataset, record: ReportRecord) -> None:
    """A study of its own: no images and no order stand behind the assessment."""
    dataset.StudyInstanceUID = words.uid(record.assessment_id, "study")
    dataset.StudyDate, dataset.StudyTime = f"{record.at:%Y%m%d}", f"{record.at:%H%M%S}"
    dataset.StudyDescription = dataset.SeriesDescription = words.line(record.title)
    dataset.ReferringPhysicianName = dataset.StudyID = dataset.AccessionNumber = ""


def _equipment(dataset: Dataset, algorithm: Algorithm) -> None:
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = words.line(algorithm.title)
    dataset.SoftwareVersions = words.line(algorithm.version)


def _scheme() -> Dataset:
    scheme = Dataset()
    scheme.CodingSchemeDesignator = SCHEME
    scheme.CodingSchemeUID = words.uid(OURS)
    scheme.CodingSchemeName = "Codes of Bedside"
    scheme.CodingSchemeResponsibleOrganization = MANUFACTURER
    return scheme

"""The structured report: a Comprehensive SR of TID 1500's shape without images, by software and not verified."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian

from cds.codes import OURS
from cds.dicom import words
from cds.dicom.content import SCHEME, Name, coded, container, named, number, text, uid_reference
from cds.errors import BadInput
from cds.finding import Factor
from cds.identity import PatientIdentity
from cds.records import Algorithm, ObservationRecord, ReportRecord

MANUFACTURER = "Bedside"
_SEX = {"male": "M", "female": "F", "other": "O"}  # anything else is left empty: there is no code for "unknown"

_TITLE = Name("126000", "DCM", "Imaging Measurement Report")
_NO_UNIT = Name("1", "UCUM", "no units")
_CONTRIBUTION = Name("shap-log-odds", SCHEME, "SHAP contribution in log-odds")
_MEASURED_ON = Name("measured-on", SCHEME, "Measured on")
_RISK = {
    "high": Name("15508007", "SCT", "High risk"),
    "moderate": Name("25594002", "SCT", "Moderate risk"),
    "low": Name("75976002", "SCT", "Low risk"),
}


def structured_report(record: ReportRecord, *, measured: ObservationRecord, patient: PatientIdentity) -> FileDataset:
    """`measured`: the chart's observation, so that chart and archive say the same number under the same code."""
    dataset = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128, is_implicit_VR=False)
    dataset.SpecificCharacterSet = "ISO_IR 192"  # UTF-8; another declaration passes validators and loses names
    _patient(dataset, patient)
    _study_and_series(dataset, record)
    _equipment(dataset, record.algorithm)
    _document(dataset, record)
    dataset.update(_content(record, measured))
    _file_meta(dataset)
    return dataset


def _patient(dataset: Dataset, patient: PatientIdentity) -> None:
    if not patient.mrn:
        raise BadInput("the record names no single record number of the patient; an administrator can set its system")
    dataset.PatientName = words.person_name(family=patient.family, given=patient.given, middle=patient.middle)
    dataset.PatientID = words.identifying(patient.mrn, what="the record number")
    dataset.PatientBirthDate = patient.birth_date.isoformat().replace("-", "") if patient.birth_date else ""
    dataset.PatientSex = _SEX.get(patient.sex, "")
    if patient.issuer:
        dataset.IssuerOfPatientIDQualifiersSequence = [_issuer(patient.issuer)]


def _issuer(system: str) -> Dataset:
    item = Dataset()
    oid = system.removeprefix("urn:oid:")
    item.UniversalEntityID, item.UniversalEntityIDType = (oid, "ISO") if oid != system else (system, "URI")
    return item


def _study_and_series(dataset: Dataset, record: ReportRecord) -> None:
    """A study of its own: no images and no order stand behind the assessment."""
    dataset.StudyInstanceUID = words.uid(record.assessment_id, "study")
    dataset.SeriesInstanceUID = words.uid(record.assessment_id, "series")
    dataset.StudyDate = dataset.ContentDate = f"{record.at:%Y%m%d}"
    dataset.StudyTime = dataset.ContentTime = f"{record.at:%H%M%S}"
    dataset.TimezoneOffsetFromUTC = f"{record.at:%z}"[:5]
    dataset.StudyDescription = dataset.SeriesDescription = words.line(record.title)
    dataset.ReferringPhysicianName = dataset.StudyID = dataset.AccessionNumber = ""
    dataset.Modality = "SR"
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.ReferencedPerformedProcedureStepSequence = []


def _equipment(dataset: Dataset, algorithm: Algorithm) -> None:
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = words.line(algorithm.title)
    dataset.SoftwareVersions = words.line(algorithm.version)


def _document(dataset: Dataset, record: ReportRecord) -> None:
    """Complete but unverified: a clinician let it be filed, nobody has signed its content."""
    dataset.SOPClassUID = ComprehensiveSRStorage
    dataset.SOPInstanceUID = words.uid(record.assessment_id, "instance")
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.PerformedProcedureCodeSequence = []
    scheme = Dataset()
    scheme.CodingSchemeDesignator = SCHEME
    scheme.CodingSchemeUID = words.uid(OURS)
    scheme.CodingSchemeName = "Codes of Bedside"
    scheme.CodingSchemeResponsibleOrganization = MANUFACTURER
    dataset.CodingSchemeIdentificationSequence = [scheme]


def _content(record: ReportRecord, measured: ObservationRecord) -> Dataset:
    """The root of the tree, which has no relationship of its own."""
    root = container(_TITLE, _sections(record, measured))
    del root.RelationshipType
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "1500"
    root.ContentTemplateSequence = [template]
    return root


def _sections(record: ReportRecord, measured: ObservationRecord) -> Iterator[Dataset]:
    yield coded(
        Name("121049", "DCM", "Language of Content Item and Descendants"),
        Name("en", "RFC5646", "English"),
        relationship="HAS CONCEPT MOD",
    )
    yield from _observer(record.algorithm)
    yield coded(
        Name("121058", "DCM", "Procedure reported"),
        Name("assessment", SCHEME, "Assessment by decision support"),
        relationship="HAS CONCEPT MOD",
    )
    group = container(Name("125007", "DCM", "Measurement Group"), _measurements(record, measured))
    yield container(Name("126010", "DCM", "Imaging Measurements"), [group])
    yield text(Name("121077", "DCM", "Conclusion"), record.conclusion, relationship="CONTAINS")


def _observer(algorithm: Algorithm) -> Iterator[Dataset]:
    """TID 1002 and 1004: a device, the same one for every report of this version at this installation."""
    context = "HAS OBS CONTEXT"
    installed = words.uid(settings.BASE_URL, algorithm.name, algorithm.version)
    yield coded(Name("121005", "DCM", "Observer Type"), Name("121007", "DCM", "Device"), relationship="HAS OBS CONTEXT")
    yield uid_reference(Name("121012", "DCM", "Device Observer UID"), installed, relationship=context)
    yield text(Name("121013", "DCM", "Device Observer Name"), algorithm.title, relationship=context)
    yield text(Name("121014", "DCM", "Device Observer Manufacturer"), MANUFACTURER, relationship=context)
    yield text(Name("121015", "DCM", "Device Observer Model Name"), algorithm.name, relationship=context)


def _measurements(record: ReportRecord, measured: ObservationRecord) -> Iterator[Dataset]:
    tracking = words.uid(record.assessment_id, "tracking")
    context = "HAS OBS CONTEXT"
    yield text(Name("112039", "DCM", "Tracking Identifier"), record.assessment_id, relationship=context)
    yield uid_reference(Name("112040", "DCM", "Tracking Unique Identifier"), tracking, relationship=context)
    yield number(
        named(measured.code, measured.display),
        measured.value.value,
        Name("%", "UCUM", "Percent"),
        relationship="CONTAINS",
        children=[*_algorithm(record.algorithm), *map(_factor, record.factors)],
    )
    level = _RISK.get(record.qualitative, Name(record.qualitative, SCHEME, record.qualitative))
    yield coded(Name("level", SCHEME, "Level relative to the threshold"), level, relationship="CONTAINS")


def _algorithm(algorithm: Algorithm) -> Iterator[Dataset]:
    """TID 4019."""
    modifier = "HAS CONCEPT MOD"
    yield text(Name("111001", "DCM", "Algorithm Name"), algorithm.name, relationship=modifier)
    yield text(Name("111003", "DCM", "Algorithm Version"), algorithm.version, relationship=modifier)
    yield text(Name("122405", "DCM", "Algorithm Manufacturer"), MANUFACTURER, relationship=modifier)


def _factor(factor: Factor) -> Dataset:
    """What the probability was inferred from: its value, when it was measured, and its exact share."""
    name = Name(factor.key, SCHEME, factor.label)
    share = number(_CONTRIBUTION, factor.contribution, _NO_UNIT, relationship="HAS PROPERTIES")
    dated = [text(_MEASURED_ON, factor.when.text, relationship="HAS PROPERTIES")] if factor.when else []
    if factor.quantity is None:
        return text(name, factor.text or "not known", relationship="INFERRED FROM", children=[*dated, share])
    unit = Name(factor.quantity.unit, "UCUM", factor.quantity.unit)
    return number(name, factor.quantity.value, unit, relationship="INFERRED FROM", children=[*dated, share])


def _file_meta(dataset: FileDataset) -> None:
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID

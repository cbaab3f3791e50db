"""The structured report: a Comprehensive SR of TID 1500's shape without images, by software."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID, ComprehensiveSRStorage

from cds.dicom import words
from cds.dicom.content import SCHEME, Name, coded, container, named, number, text, uid_reference
from cds.dicom.header import MANUFACTURER, begun
from cds.finding import Factor
from cds.identity import PatientIdentity
from cds.records import Algorithm, ObservationRecord, ReportRecord, Verification

_TITLE = Name("126000", "DCM", "Imaging Measurement Report")
_NO_UNIT = Name("1", "UCUM", "no units")
_CONTRIBUTION = Name("shap-log-odds", SCHEME, "SHAP contribution in log-odds")
_MEASURED_ON = Name("measured-on", SCHEME, "Measured on")
_RISK = {
    "high": Name("15508007", "SCT", "High risk"),
    "moderate": Name("25594002", "SCT", "Moderate risk"),
    "low": Name("75976002", "SCT", "Low risk"),
}


def structured_report(
    record: ReportRecord,
    *,
    measured: ObservationRecord,
    patient: PatientIdentity,
    verified: Verification | None = None,
) -> FileDataset:
    """`measured`: the chart's observation, so that chart and archive say the same number under the same code.

    Complete but unverified: a clinician let it be filed, nobody has signed its content. `verified`: a new instance with
    the same content, whose predecessor is the first one; what is stored is never changed.
    """
    uid = words.uid(record.assessment_id, "verified-instance" if verified else "instance")
    at = verified.at if verified else record.at
    dataset = begun(record, sop_class=ComprehensiveSRStorage, uid=uid, at=at, patient=patient)
    dataset.Modality = "SR"
    dataset.SeriesInstanceUID = words.uid(record.assessment_id, "series")
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 2 if verified else 1
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.CompletionFlag = "COMPLETE"
    dataset.VerificationFlag = "VERIFIED" if verified else "UNVERIFIED"
    if verified:
        dataset.VerifyingObserverSequence = [_observer_of(verified)]
        dataset.PredecessorDocumentsSequence = [_predecessor(dataset, words.uid(record.assessment_id, "instance"))]
    dataset.update(_content(record, measured))
    return dataset


def _observer_of(verified: Verification) -> Dataset:
    """PS3.3, C.17.2: who is accountable for the content."""
    item = Dataset()
    item.VerifyingObserverName = words.person_name(family=verified.name, given="", middle="")
    item.VerifyingOrganization = words.line(verified.organization)
    item.VerificationDateTime = f"{verified.at:%Y%m%d%H%M%S%z}"
    item.VerifyingObserverIdentificationCodeSequence = []
    return item


def _predecessor(dataset: Dataset, uid: UID) -> Dataset:
    """PS3.3, C.17.2: the instance that this one takes the place of, by study and series."""
    first, series, study = Dataset(), Dataset(), Dataset()
    first.ReferencedSOPClassUID, first.ReferencedSOPInstanceUID = dataset.SOPClassUID, uid
    series.SeriesInstanceUID, series.ReferencedSOPSequence = dataset.SeriesInstanceUID, [first]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = dataset.StudyInstanceUID, [series]
    return study


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

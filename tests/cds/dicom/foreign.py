"""What other people's devices keep in an archive: an echo report in the shape of TID 5200, and a study that has images."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ComprehensiveSRStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from tests.cds.saved import ADA

HEIGHT, WEIGHT, BMI = (
    ("8302-2", "LN", "Patient Height"),
    ("29463-7", "LN", "Patient Weight"),
    ("60621009", "SCT", "BMI"),
)
Name = tuple[str, str, str]


def number(name: Name, value: Any, unit: str, *children: Dataset, at: str = "") -> Dataset:
    measured = Dataset()
    measured.NumericValue = value
    measured.MeasurementUnitsCodeSequence = [concept((unit, "UCUM", unit))]
    item = _item("NUM", name, children)
    item.MeasuredValueSequence = [measured] if value is not None else []
    if at:
        item.ObservationDateTime = at
    return item


def container(name: Name, *children: Dataset) -> Dataset:
    item = _item("CONTAINER", name, children)
    item.ContinuityOfContent = "SEPARATE"
    return item


def coded(name: Name, value: Name, *, relationship: str) -> Dataset:
    item = _item("CODE", name, ())
    item.RelationshipType = relationship
    item.ConceptCodeSequence = [concept(value)]
    return item


def about(subject: Name) -> Dataset:
    return coded(("121024", "DCM", "Subject Class"), subject, relationship="HAS OBS CONTEXT")


def concept(name: Name) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = name
    return item


def _item(kind: str, name: Name, children: Iterable[Dataset]) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", kind
    item.ConceptNameCodeSequence = [concept(name)]
    if inner := list(children):
        item.ContentSequence = inner
    return item


def echo(*content: Dataset, at: datetime, **more: Any) -> FileDataset:
    """An adult echo report whose patient characteristics are `content`."""
    report = _instance(ComprehensiveSRStorage, at=at, Modality="SR", **more)
    characteristics = container(("121118", "DCM", "Patient Characteristics"), *content)
    root = container(("125200", "DCM", "Adult Echocardiography Procedure Report"), characteristics)
    for element in root:
        if element.keyword != "RelationshipType":
            report[element.tag] = element
    report.CompletionFlag = more.get("CompletionFlag", "COMPLETE")
    report.VerificationFlag = more.get("VerificationFlag", "UNVERIFIED")
    return report


def ct(description: str, *, at: datetime, **more: Any) -> FileDataset:
    """One image of a study: what a search lists is the study."""
    image = _instance(SecondaryCaptureImageStorage, at=at, Modality="CT", StudyDescription=description, **more)
    image.Rows = image.Columns = 1
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation, image.PixelData = 7, 0, b"\0\0"
    return image


def _instance(sop_class: UID, *, at: datetime, **more: Any) -> FileDataset:
    found = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.SOPClassUID = found.file_meta.MediaStorageSOPClassUID = sop_class
    found.SOPInstanceUID = found.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    found.StudyInstanceUID, found.SeriesInstanceUID = generate_uid(), generate_uid()
    found.SpecificCharacterSet = "ISO_IR 192"
    found.PatientID, found.PatientName, found.PatientBirthDate = ADA.mrn, "Lindqvist^Ada", "19640809"
    found.PatientSex, found.StudyID, found.AccessionNumber, found.ReferringPhysicianName = "F", "", "", ""
    found.SeriesNumber = found.InstanceNumber = 1
    found.StudyDate, found.StudyTime = f"{at:%Y%m%d}", f"{at:%H%M%S}"
    found.ContentDate, found.ContentTime = found.StudyDate, found.StudyTime
    for keyword, value in more.items():
        setattr(found, keyword, value)
    return found

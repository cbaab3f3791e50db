"""The PDF twin in DICOM, as other people's tools read it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import EncapsulatedPDFStorage

from cds.dicom.pdf import encapsulated_pdf
from cds.dicom.report import structured_report
from cds.errors import BadInput
from cds.identity import PatientIdentity
from cds.records import Verification
from cds.report_pdf import report_pdf
from tests.cds.dicom.test_report import NAMES, named
from tests.cds.dicom.validators import require_installed, require_valid
from tests.cds.saved import ADA, AT, OBSERVATION, REPORT

VERIFIED = Verification(name="Dr. Chika Okafor", organization="Demo hospital", at=AT)
ODD, EVEN = b"%PDF-1.7 odd", b"%PDF-1.7 even"


def twin(content: bytes = EVEN, *, patient: PatientIdentity = ADA, verified: Verification | None = None) -> FileDataset:
    report = structured_report(REPORT, measured=OBSERVATION, patient=patient, verified=verified)
    return encapsulated_pdf(REPORT, content, report=report, patient=patient, verified=verified)


@pytest.mark.parametrize("verified", [None, VERIFIED], ids=["unverified", "verified"])
@pytest.mark.parametrize("case", NAMES)
def test_validators_of_others_find_no_error_and_get_the_same_pdf_out(
    case: str, verified: Verification | None, tmp_path: Path
) -> None:
    require_installed("dcmdump", "dcm2pdf")
    content = report_pdf(REPORT, patient=named(case), hospital="Demo hospital", verified=verified)
    path, out = require_valid(twin(content, patient=named(case), verified=verified), tmp_path), tmp_path / "out.pdf"
    assert subprocess.run(["dcmdump", "-q", path], capture_output=True, check=False).returncode == 0
    subprocess.run(["dcm2pdf", path, out], check=True)
    assert out.read_bytes() == content


@pytest.mark.parametrize("content", [ODD, EVEN])
def test_the_document_has_an_even_length_and_says_its_own(content: bytes) -> None:
    made = twin(content)
    assert len(made.EncapsulatedDocument) % 2 == 0
    assert made.EncapsulatedDocument[: made.EncapsulatedDocumentLength] == content


def test_it_stands_in_the_reports_study_in_a_series_of_its_own_and_names_the_report() -> None:
    report, made = structured_report(REPORT, measured=OBSERVATION, patient=ADA), twin()
    assert made.SOPClassUID == EncapsulatedPDFStorage
    assert (made.StudyInstanceUID, made.PatientID) == (report.StudyInstanceUID, report.PatientID)
    assert made.SeriesInstanceUID != report.SeriesInstanceUID
    assert made.SourceInstanceSequence[0].ReferencedSOPInstanceUID == report.SOPInstanceUID
    assert made.BurnedInAnnotation == "YES"


def test_the_same_answer_is_the_same_object_and_a_signed_one_another() -> None:
    assert twin() == twin()
    signed = twin(verified=VERIFIED)
    assert (twin().VerificationFlag, signed.VerificationFlag) == ("UNVERIFIED", "VERIFIED")
    assert twin().SOPInstanceUID != signed.SOPInstanceUID
    assert twin().SeriesInstanceUID == signed.SeriesInstanceUID


def test_without_a_record_number_there_is_no_twin() -> None:
    with pytest.raises(BadInput, match="no single record number"):
        twin(patient=PatientIdentity(id="ada"))


def test_it_is_read_again_as_it_was_written(tmp_path: Path) -> None:
    twin().save_as(tmp_path / "twin.dcm", enforce_file_format=True)
    assert pydicom.dcmread(tmp_path / "twin.dcm") == twin()

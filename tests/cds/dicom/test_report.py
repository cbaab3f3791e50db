"""The structured report, as other people's tools read it."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pydicom
import pytest
from pydicom.dataset import Dataset

from cds.codes import SNOMED, Code
from cds.dicom.report import structured_report
from cds.errors import BadInput
from cds.facts import Quantity
from cds.identity import PatientIdentity
from cds.records import Verification
from tests.cds.dicom.validators import require_installed, require_valid_report
from tests.cds.saved import ADA, AT, OBSERVATION, REPORT

VERIFIED = Verification(name="Dr. Chika Okafor", organization="Demo hospital", at=AT + timedelta(hours=1))
NAMES = {
    "accents": ("Łukasiewicz-Ångström", "Zoë"),
    "Chinese": ("陈", "伟"),
    "Arabic": ("حداد", "فرح"),
    "delimiters": ("Smith^Jones=\\", "Ada\x1b"),
    "long": ("Wolfeschlegelsteinhausenbergerdorff" * 2, "Hubert" * 10),
    "none": ("", ""),
}


def named(case: str) -> PatientIdentity:
    family, given = NAMES[case]
    return msgspec.structs.replace(ADA, family=family, given=given)


def stored(patient: PatientIdentity = ADA) -> pydicom.FileDataset:
    """The report as bytes, and read again."""
    file = io.BytesIO()
    structured_report(REPORT, measured=OBSERVATION, patient=patient).save_as(file, enforce_file_format=True)
    return pydicom.dcmread(io.BytesIO(file.getvalue()))


def items(dataset: Dataset) -> Iterator[Dataset]:
    """Every content item below, depth first."""
    for item in dataset.get("ContentSequence", []):
        yield item
        yield from items(item)


def item(dataset: Dataset, meaning: str) -> Dataset:
    return next(one for one in items(dataset) if one.ConceptNameCodeSequence[0].CodeMeaning == meaning)


@pytest.mark.parametrize("case", NAMES)
def test_validators_of_others_find_no_error(case: str, tmp_path: Path) -> None:
    made = structured_report(REPORT, measured=OBSERVATION, patient=named(case))
    assert '="18.4" (%,UCUM,"Percent")' in require_valid_report(made, tmp_path)


def test_a_long_private_code_passes_the_validators_too(tmp_path: Path) -> None:
    measured = msgspec.structs.replace(OBSERVATION, code=REPORT.outcome)
    made = structured_report(REPORT, measured=measured, patient=ADA)
    require_valid_report(made, tmp_path)
    assert item(made, measured.display).ConceptNameCodeSequence[0].LongCodeValue == REPORT.outcome.code


@pytest.mark.parametrize("sign", ["x", "Ä", "医"])
def test_words_too_long_for_dicom_pass_the_validators_and_show_that_they_go_on(sign: str, tmp_path: Path) -> None:
    made = structured_report(
        REPORT,
        measured=msgspec.structs.replace(OBSERVATION, display=f"{sign * 62} not diagnosed"),
        patient=ADA,
        verified=msgspec.structs.replace(VERIFIED, organization=sign * 70),
    )
    assert f"{sign}…" in require_valid_report(made, tmp_path)


def test_dciodvfy_counts_the_bytes_of_a_name_where_dicom_counts_characters(tmp_path: Path) -> None:
    """PS3.5, 6.2: 64 characters. No patient's name is cut for it; docs/conformance.md says so."""
    require_installed("dciodvfy")
    path = tmp_path / "report.dcm"
    patient = msgspec.structs.replace(ADA, family="陈" * 300, given="伟")
    structured_report(REPORT, measured=OBSERVATION, patient=patient).save_as(path, enforce_file_format=True)
    assert str(pydicom.dcmread(path).PatientName) == f"{'陈' * 62}^伟"
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
    first, *more = [one for one in said.splitlines() if "Error" in one]
    assert "PN Patient's Name" in first
    assert first.endswith("Length invalid for this VR = 190, expected <= 64")
    assert more == ["Error - Dicom dataset contains invalid data values for Value Representations"]


@pytest.mark.parametrize("case", ["accents", "Chinese", "Arabic"])
def test_a_name_in_any_script_comes_back_as_it_was(case: str) -> None:
    found = stored(named(case)).PatientName
    assert (found.family_name, found.given_name) == NAMES[case]


def test_the_patient_is_filed_under_the_record_number_and_its_issuer() -> None:
    found = stored()
    issuer = found.IssuerOfPatientIDQualifiersSequence[0]
    assert (found.PatientID, found.PatientBirthDate, found.PatientSex) == ("NG-100461", "19640809", "F")
    assert (issuer.UniversalEntityID, issuer.UniversalEntityIDType) == ("2.16.840.1.113883.19.5.99.1", "ISO")


def test_a_sex_or_birth_date_that_nobody_knows_is_left_empty() -> None:
    found = stored(msgspec.structs.replace(ADA, sex="unknown", birth_date=None))
    assert (found.PatientSex, found.PatientBirthDate) == ("", "")


def test_without_a_record_number_there_is_no_report() -> None:
    with pytest.raises(BadInput, match="no single record number"):
        stored(msgspec.structs.replace(ADA, mrn=""))


def test_the_probability_is_in_percent_under_the_code_of_the_charts_observation() -> None:
    found = item(stored(), OBSERVATION.display)
    name, measured = found.ConceptNameCodeSequence[0], found.MeasuredValueSequence[0]
    assert (name.CodeValue, name.CodingSchemeDesignator) == ("hba1c-6.5-p", "99BEDSIDE")
    assert (measured.NumericValue, measured.MeasurementUnitsCodeSequence[0].CodeValue) == (18.4, "%")


def test_each_factor_keeps_its_value_unit_date_and_exact_contribution() -> None:
    found = item(stored(), "Glucose")
    factor, measured = REPORT.factors[0], found.MeasuredValueSequence[0]
    assert measured.FloatingPointValue == factor.quantity.value if factor.quantity else False
    assert measured.MeasurementUnitsCodeSequence[0].CodeValue == "mg/dL"
    assert item(found, "Measured on").TextValue == "2026-02-11"
    share = item(found, "SHAP contribution in log-odds").MeasuredValueSequence[0]
    assert share.FloatingPointValue == factor.contribution


def test_a_factor_that_is_not_known_says_so() -> None:
    assert item(stored(), "Systolic pressure").TextValue == "not known"
    assert item(stored(), "Age").TextValue == "61 years"


def test_it_says_that_software_wrote_it_and_nobody_verified_it() -> None:
    found = stored()
    assert (found.CompletionFlag, found.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert item(found, "Observer Type").ConceptCodeSequence[0].CodeMeaning == "Device"
    assert item(found, "Algorithm Version").TextValue == REPORT.algorithm.version
    assert item(found, "Conclusion").TextValue == REPORT.conclusion


def test_the_time_of_day_is_the_hospitals() -> None:
    found = stored()
    assert (found.ContentDate, found.ContentTime, found.TimezoneOffsetFromUTC) == ("20260301", "093015", "+0530")


def test_the_same_assessment_is_the_same_object_and_another_one_is_another() -> None:
    first, again = stored(), stored()
    other = structured_report(msgspec.structs.replace(REPORT, assessment_id="other"), measured=OBSERVATION, patient=ADA)
    assert first == again
    assert {first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID}.isdisjoint(
        {other.StudyInstanceUID, other.SeriesInstanceUID, other.SOPInstanceUID}
    )


def test_the_private_scheme_of_codes_is_declared() -> None:
    assert [one.CodingSchemeDesignator for one in stored().CodingSchemeIdentificationSequence] == ["99BEDSIDE"]


def test_no_code_asserts_the_disease() -> None:
    assert "44054006" not in str(stored())


def test_a_code_of_an_unknown_system_is_refused() -> None:
    measured = msgspec.structs.replace(OBSERVATION, code=Code("urn:other", "x"), value=Quantity(value=1.0, unit="%"))
    with pytest.raises(BadInput, match="urn:other"):
        structured_report(REPORT, measured=measured, patient=ADA)
    coded = msgspec.structs.replace(measured, code=Code(SNOMED, "1"))
    assert structured_report(REPORT, measured=coded, patient=ADA).SOPInstanceUID


# --- Verified by a clinician -------------------------------------------------------------------------------------
def signed(by: Verification = VERIFIED) -> pydicom.FileDataset:
    return structured_report(REPORT, measured=OBSERVATION, patient=ADA, verified=by)


@pytest.mark.parametrize("name", ["Dr. Chika Okafor", "陈伟", "فرح حداد", "A^B\\C=D", "Wolfeschlegel" * 23])
def test_validators_of_others_find_no_error_in_a_verified_report(name: str, tmp_path: Path) -> None:
    require_valid_report(signed(msgspec.structs.replace(VERIFIED, name=name)), tmp_path)


def test_a_verified_report_is_a_new_instance_that_names_its_predecessor_and_who_vouches() -> None:
    first, second = structured_report(REPORT, measured=OBSERVATION, patient=ADA), signed()
    assert second.SOPInstanceUID != first.SOPInstanceUID
    assert (second.StudyInstanceUID, second.SeriesInstanceUID) == (first.StudyInstanceUID, first.SeriesInstanceUID)
    study = second.PredecessorDocumentsSequence[0]
    series = study.ReferencedSeriesSequence[0]
    named_uids = (study.StudyInstanceUID, series.SeriesInstanceUID)
    assert named_uids == (first.StudyInstanceUID, first.SeriesInstanceUID)
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    observer = second.VerifyingObserverSequence[0]
    assert (observer.VerifyingObserverName, observer.VerifyingOrganization) == ("Dr. Chika Okafor", "Demo hospital")
    assert observer.VerificationDateTime == "20260301103015+0530"
    assert (second.VerificationFlag, second.CompletionFlag) == ("VERIFIED", "COMPLETE")


def test_a_verified_report_says_the_same_as_the_first_one() -> None:
    assert signed().ContentSequence == structured_report(REPORT, measured=OBSERVATION, patient=ADA).ContentSequence

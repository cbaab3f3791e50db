"""A report and its PDF twin reach a real archive together, and a verified one comes beside the first."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from pytest_django import Settings

from cds.connect import archive_of
from cds.dicom.deliver import Delivered, deliver
from cds.errors import BadInput
from cds.filing import instances
from cds.identity import PatientIdentity
from cds.models import Ehr, Pacs
from cds.records import Verification
from smartapp.demo_ehr import stow
from tests.cds.saved import ADA, AT, OBSERVATION, REPORT

VERIFIED = Verification(name="Dr. Chika Okafor", organization="Demo hospital", at=AT + timedelta(hours=1))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.DICOM_FOLDER = tmp_path / "archive"
    return tmp_path / "archive" / "test"  # of a test system


def filed_at(ehr: Ehr, *, patient: PatientIdentity = ADA, verified: Verification | None = None) -> Delivered:
    made = instances(REPORT, measured=OBSERVATION, patient=patient, ehr=ehr, verified=verified)
    return deliver(made, to=archive_of(ehr))


def test_reports_of_patients_lie_apart_from_those_of_test_systems(ehr: Ehr, folder: Path) -> None:
    ehr.environment = Ehr.Environment.PRODUCTION
    filed_at(ehr)
    assert len(list(folder.parent.glob("*.dcm"))) == 2
    assert not folder.exists()


def test_both_are_filed_in_one_study_and_filing_again_adds_nothing(ehr: Ehr, folder: Path) -> None:
    first = filed_at(ehr)
    assert filed_at(ehr) == first
    found = [pydicom.dcmread(path) for path in folder.iterdir()]
    assert sorted(one.Modality for one in found) == ["DOC", "SR"]
    assert len({one.StudyInstanceUID for one in found}) == 1


def test_a_verified_report_comes_beside_the_first_and_changes_nothing_of_it(ehr: Ehr, folder: Path) -> None:
    first = filed_at(ehr)
    before = {uid: (folder / f"{uid}.dcm").read_bytes() for uid in first.uids}
    second = filed_at(ehr, verified=VERIFIED)
    assert set(first.uids).isdisjoint(second.uids)
    assert {uid: (folder / f"{uid}.dcm").read_bytes() for uid in first.uids} == before
    flags = [pydicom.dcmread(folder / f"{uid}.dcm").VerificationFlag for uid in second.uids]
    assert flags == ["VERIFIED", "VERIFIED"]


def test_the_twin_of_a_test_system_is_another_page_than_that_of_production(ehr: Ehr) -> None:
    test = instances(REPORT, measured=OBSERVATION, patient=ADA, ehr=ehr)
    ehr.environment = Ehr.Environment.PRODUCTION
    real = instances(REPORT, measured=OBSERVATION, patient=ADA, ehr=ehr)
    assert test[0] == real[0]
    assert test[1].EncapsulatedDocument != real[1].EncapsulatedDocument


def test_without_a_record_number_nothing_is_filed(ehr: Ehr, folder: Path) -> None:
    with pytest.raises(BadInput, match="no single record number"):
        filed_at(ehr, patient=PatientIdentity(id="ada"))
    assert not folder.exists()


def test_the_demo_hospitals_archive_takes_both_by_stow(hospital: Ehr) -> None:
    base = hospital.fhir_base.removesuffix("/fhir") + "/dicomweb"
    Pacs.objects.create(ehr=hospital, kind=Pacs.Kind.DICOMWEB, url=base, private_network=True)
    stow.archive().reset()
    filed = filed_at(hospital)
    assert {one.uid for one in stow.archive().all()} == set(filed.uids)
    assert filed.remarks == ()
    stow.archive().reset()

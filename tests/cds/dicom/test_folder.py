"""The archive's folder."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import FileDataset

from cds.dicom.folder import keep
from cds.dicom.report import structured_report
from tests.cds.saved import ADA, OBSERVATION, REPORT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not yet" / "there"


def report() -> FileDataset:
    return structured_report(REPORT, measured=OBSERVATION, patient=ADA)


def test_a_report_is_kept_under_its_instance_uid_and_not_under_a_name(folder: Path) -> None:
    uid = keep(report(), folder=folder)
    assert [path.name for path in folder.iterdir()] == [f"{uid}.dcm"]
    assert pydicom.dcmread(folder / f"{uid}.dcm").SOPInstanceUID == uid


def test_the_same_report_again_is_one_file(folder: Path) -> None:
    assert keep(report(), folder=folder) == keep(report(), folder=folder)
    assert len(list(folder.iterdir())) == 1


def test_a_kept_report_is_not_for_everybody_on_the_machine(folder: Path) -> None:
    uid = keep(report(), folder=folder)
    assert (folder / f"{uid}.dcm").stat().st_mode & 0o007 == 0


def test_a_report_that_cannot_be_written_leaves_nothing(folder: Path) -> None:
    broken = report()
    broken.PatientName = "\ud800"
    with pytest.raises((UnicodeError, TypeError)):  # pydicom 3.0 turns the one into the other
        keep(broken, folder=folder)
    assert list(folder.iterdir()) == []

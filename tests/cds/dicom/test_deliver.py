"""What the archive took, as it says itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import FileDataset

from cds.dicom.archive import Folder
from cds.dicom.deliver import deliver
from cds.dicom.report import structured_report
from cds.errors import ArchiveUnreachable
from tests.cds.saved import ADA, OBSERVATION, REPORT


def report() -> FileDataset:
    return structured_report(REPORT, measured=OBSERVATION, patient=ADA)


def test_a_folder_keeps_every_instance_and_the_answer_names_them(tmp_path: Path) -> None:
    delivered = deliver([report()], to=Folder(path=tmp_path))
    assert [path.stem for path in tmp_path.iterdir()] == list(delivered.uids)


def test_a_folder_that_cannot_be_written_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveUnreachable, match="Tell an administrator") as caught:
        deliver([report()], to=Folder(path=tmp_path / "file" / "folder"))
    assert caught.value.retry
    assert str(tmp_path) not in str(caught.value)

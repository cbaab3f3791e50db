"""What the archive took, as it says itself."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import UID

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


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes: to who writes it, a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_folder_keeps_whole_files_only_and_takes_the_rest_once_there_is_room(tmp_path: Path) -> None:
    small, large = report(), structured_report(REPORT, measured=OBSERVATION, patient=ADA)
    large.SOPInstanceUID = large.file_meta.MediaStorageSOPInstanceUID = UID("2.25.1")
    large.TextValue = "x" * 100_000
    with room_for(50_000), pytest.raises(ArchiveUnreachable, match="cannot be written") as caught:
        deliver([small, large], to=Folder(path=tmp_path))
    assert caught.value.retry
    assert [path.name for path in tmp_path.iterdir()] == [f"{small.SOPInstanceUID}.dcm"]
    deliver([small, large], to=Folder(path=tmp_path))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_written_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveUnreachable, match="Tell an administrator") as caught:
        deliver([report()], to=Folder(path=tmp_path / "file" / "folder"))
    assert caught.value.retry
    assert str(tmp_path) not in str(caught.value)

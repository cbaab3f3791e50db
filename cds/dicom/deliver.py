"""To the archive, and what it says that it took."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from pydicom.dataset import FileDataset

from cds.dicom import dimse, folder, stow
from cds.dicom.archive import Archive, DicomWeb, Dimse, Folder
from cds.dicom.status import require_kept
from cds.errors import ArchiveUnreachable


class Delivered(Struct, frozen=True, kw_only=True):
    """`uids`: the SOP Instance UIDs as sent. `remarks`: what the archive changed or left out, in words."""

    uids: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def deliver(instances: Sequence[FileDataset], *, to: Archive) -> Delivered:
    """Every instance is stored, or an ArchiveError says what became of them and whether the same call may work later.

    Delivering again is harmless: the same SOP instances replace themselves.
    """
    match to:
        case Folder():
            remarks = into_folder(instances, to)
        case DicomWeb():
            remarks = require_kept(stow.store(instances, to))
        case Dimse():
            remarks = require_kept(dimse.store(instances, to))
    return Delivered(uids=tuple(str(instance.SOPInstanceUID) for instance in instances), remarks=remarks)


def into_folder(instances: Sequence[FileDataset], archive: Folder) -> tuple[str, ...]:
    try:
        for instance in instances:
            folder.keep(instance, folder=archive.path)
    except OSError as error:
        raise ArchiveUnreachable(
            f"the archive's folder cannot be written ({error.strerror}). Tell an administrator"
        ) from error
    return ()

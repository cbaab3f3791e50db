"""To the archive, and what it says that it took."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from pydicom.dataset import FileDataset

from cds.dicom.folder import keep
from cds.errors import ArchiveUnreachable


class Folder(Struct, frozen=True, kw_only=True):
    """An archive that fetches what lies there."""

    path: Path


Archive = Folder


class Delivered(Struct, frozen=True, kw_only=True):
    """`uids`: the SOP Instance UIDs as sent. `remarks`: what the archive changed or left out, in words."""

    uids: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def deliver(instances: Sequence[FileDataset], *, to: Archive) -> Delivered:
    """Every instance is stored, or an ArchiveError says what became of them and whether the same call may work later.

    Delivering again is harmless: the same SOP instances replace themselves.
    """
    return _into_folder(instances, to)


def _into_folder(instances: Sequence[FileDataset], folder: Folder) -> Delivered:
    try:
        return Delivered(uids=tuple(keep(instance, folder=folder.path) for instance in instances))
    except OSError as error:
        raise ArchiveUnreachable(
            f"the archive's folder cannot be written ({error.strerror}). Tell an administrator"
        ) from error

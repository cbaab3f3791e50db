"""The archive as a folder: one file for each SOP instance, complete or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pydicom.dataset import FileDataset


def keep(instance: FileDataset, *, folder: Path) -> str:
    """Its SOP Instance UID, which is also the file's name. The same instance again replaces itself."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    uid = str(instance.SOPInstanceUID)
    descriptor, unfinished = tempfile.mkstemp(dir=folder, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            instance.save_as(file, enforce_file_format=True)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(unfinished, 0o640)  # readable for the archive's own group, which fetches it from here
        os.replace(unfinished, folder / f"{uid}.dcm")
    finally:
        Path(unfinished).unlink(missing_ok=True)
    return uid

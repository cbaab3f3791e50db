"""Validators that nobody here wrote: dciodvfy (Debian's dicom3tools), dsrdump and dcmdump (dcmtk)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from pydicom.dataset import FileDataset


def require_installed(*commands: str) -> None:
    """CI has them (.ci/run installs them), so that there nothing is skipped."""
    missing = [command for command in commands if not shutil.which(command)]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"{', '.join(missing)} (Debian: dicom3tools, dcmtk) not installed")
    assert not missing, missing


def require_valid(instance: FileDataset, folder: Path) -> Path:
    """The file in which dciodvfy finds no error."""
    require_installed("dciodvfy")
    path = folder / "instance.dcm"
    instance.save_as(path, enforce_file_format=True)
    checked = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    assert "Error" not in checked.stderr + checked.stdout, checked.stderr
    assert checked.returncode == 0
    return path


def require_valid_report(instance: FileDataset, folder: Path) -> str:
    """A structured report: what dsrdump reads in it, which finds no error either."""
    require_installed("dsrdump")
    dumped = subprocess.run(
        ["dsrdump", "+Pl", require_valid(instance, folder)], capture_output=True, text=True, check=False
    )
    assert dumped.returncode == 0, dumped.stderr
    assert "E:" not in dumped.stderr, dumped.stderr
    return dumped.stdout

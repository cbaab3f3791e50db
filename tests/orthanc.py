"""A real Orthanc of the tests' own: on loopback, on free ports, with a configuration and a database that nobody else has."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

USER, PASSWORD = "bedside", "only for tests"
AE_TITLE = "ORTHANC"
_STARTED = "Orthanc has started"
_PLUGINS = Path("/usr/share/orthanc/plugins")


@dataclass(frozen=True, kw_only=True)
class Orthanc:
    http_port: int
    dicom_port: int

    @property
    def url(self) -> str:
        """Of its REST API."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb(self) -> str:
        return f"{self.url}/dicom-web"


def missing() -> str:
    """Why there can be none; "" if it is installed."""
    if not shutil.which("Orthanc"):
        return "Orthanc is not installed (Debian: orthanc)"
    if not (_PLUGINS / "libOrthancDicomWeb.so").exists():
        return "Orthanc's DICOMweb plug-in is not installed (Debian: orthanc-dicomweb)"
    return ""


@contextmanager
def running(folder: Path, **more: Any) -> Iterator[Orthanc]:
    """`more`: further entries of its configuration."""
    found = Orthanc(http_port=_free_port(), dicom_port=_free_port())
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(_configuration(found, folder) | more))
    with subprocess.Popen(["Orthanc", str(configuration)], stderr=subprocess.PIPE, text=True) as process:
        try:
            said = "".join(_until_started(process))
            assert _STARTED in said, said
            yield found
        finally:
            process.kill()  # it has nothing to keep
            process.communicate()


def _until_started(process: subprocess.Popen[str]) -> Iterator[str]:
    for line in process.stderr or ():
        yield line
        if _STARTED in line:
            return


def _configuration(found: Orthanc, folder: Path) -> dict[str, Any]:
    return {
        "Name": "Tests",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(_PLUGINS / "libOrthancDicomWeb.so")],
        "HttpPort": found.http_port,
        "DicomPort": found.dicom_port,
        "DicomAet": AE_TITLE,
        "DicomCheckCalledAet": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "ConcurrentJobs": 1,
        "HttpThreadsCount": 4,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

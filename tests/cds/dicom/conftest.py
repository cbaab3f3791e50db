"""Real archives, each started once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import orthanc as real
from tests.certificates import Authority


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


def _or_skip() -> None:
    """CI has it (.ci/run installs it), so that there nothing is skipped."""
    why_not = real.missing()
    if why_not and not os.environ.get("CI"):
        pytest.skip(why_not)
    assert not why_not, why_not


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[real.Orthanc]:
    _or_skip()
    with real.running(tmp_path_factory.mktemp("orthanc")) as found:
        yield found


@pytest.fixture(scope="session")
def secure_orthanc(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[real.Orthanc]:
    """Speaks TLS on its DICOM port, and wants a certificate of whoever calls."""
    _or_skip()
    folder = tmp_path_factory.mktemp("secure-orthanc")
    certificate, key = authority.issue("Orthanc")
    _write(folder, {"own.crt": certificate, "own.key": key, "trusted.crt": authority.certificate})
    more = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(folder / "own.crt"),
        "DicomTlsPrivateKey": str(folder / "own.key"),
        "DicomTlsTrustedCertificates": str(folder / "trusted.crt"),
        "DicomTlsRemoteCertificateRequired": True,
    }
    with real.running(folder, **more) as found:
        yield found


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).write_text(content)

"""The archive's part of "Test connection": which step fails, and what to do about it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import ComprehensiveSRStorage
from pytest_django import Settings

from cds.models import Ehr, Pacs
from cds.onboarding import Step, try_connection
from tests.cds.dicom.test_orthanc import dimse, secured, web
from tests.certificates import Authority
from tests.orthanc import Orthanc
from tests.pacs import WebArchive, dimse_archive
from tests.serving import serving

pytestmark = pytest.mark.django_db


def steps(ehr: Ehr) -> dict[str, Step]:
    """Those of the archive, by name."""
    found = {step.name.removeprefix("Archive: "): step for step in try_connection(ehr).steps if "Archive" in step.name}
    assert found
    return found


def stopped_at(ehr: Ehr) -> str:
    """The step that failed; those after it were not tried, and it says what to do."""
    found = steps(ehr)
    failed = [step for step in found.values() if step.problem]
    assert len(failed) == 1
    assert failed[0].remedy
    assert not any(step.tried for step in list(found.values())[list(found.values()).index(failed[0]) + 1 :])
    return next(name for name, step in found.items() if step is failed[0])


def test_without_an_archive_the_folder_is_tried_and_nothing_is_left_in_it(
    ehr: Ehr, tmp_path: Path, settings: Settings
) -> None:
    settings.DICOM_FOLDER = tmp_path / "archive"
    assert "can be written" in steps(ehr)["folder"].told
    assert list((tmp_path / "archive" / "test").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(ehr: Ehr, tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "file").touch()
    settings.DICOM_FOLDER = tmp_path / "file" / "folder"
    assert stopped_at(ehr) == "folder"


def test_orthanc_passes_every_step_over_the_web(ehr: Ehr, orthanc: Orthanc) -> None:
    web(ehr, orthanc)
    assert [step.problem for step in steps(ehr).values()] == ["", ""]


def test_orthanc_passes_every_step_over_dimse(ehr: Ehr, orthanc: Orthanc) -> None:
    dimse(ehr, orthanc)
    found = steps(ehr)
    assert [step.problem for step in found.values()] == [""] * 4
    assert "clear text" in found["TLS"].told


def test_orthanc_passes_every_step_over_tls(ehr: Ehr, secure_orthanc: Orthanc, authority: Authority) -> None:
    dimse(ehr, secure_orthanc, **secured(authority))
    found = steps(ehr)
    assert [step.problem for step in found.values()] == [""] * 4
    assert found["TLS"].told.startswith("TLSv1.")


@pytest.mark.parametrize(
    ("wrong", "step"),
    [
        ({"host": "archive.invalid"}, "host name and network address"),
        ({"private_network": False}, "host name and network address"),
        ({"port": 9}, "connection"),
        ({"tls": True}, "TLS"),
        ({"called_ae": "OTHER"}, "association and C-ECHO"),
    ],
)
def test_what_is_wrong_with_a_dimse_archive_has_a_name(
    wrong: dict[str, Any], step: str, ehr: Ehr, orthanc: Orthanc
) -> None:
    dimse(ehr, orthanc, **wrong)
    assert stopped_at(ehr) == step


def test_a_certificate_that_nobody_vouches_for_stops_at_tls(
    ehr: Ehr, secure_orthanc: Orthanc, authority: Authority
) -> None:
    dimse(ehr, secure_orthanc, **(secured(authority) | {"trusted_certificates": Authority("Another").certificate}))
    assert stopped_at(ehr) == "TLS"
    assert "not trusted" in steps(ehr)["TLS"].problem


def test_an_archive_that_takes_no_pdfs_says_so_at_the_test(ehr: Ehr) -> None:
    with dimse_archive(["1.2.840.10008.1.1", ComprehensiveSRStorage], store=lambda _: 0) as port:
        Pacs.objects.create(
            ehr=ehr, kind=Pacs.Kind.DIMSE, host="127.0.0.1", port=port, called_ae="PACS", private_network=True
        )
        found = steps(ehr)
    assert found["association and C-ECHO"].problem == "It takes no PDFs."


@pytest.mark.parametrize(("secret", "remedy"), [(b"wrong", "Enter user and secret again.")])
def test_a_wrong_password_stops_at_the_search(secret: bytes, remedy: str, ehr: Ehr, orthanc: Orthanc) -> None:
    web(ehr, orthanc, secret=secret)
    assert stopped_at(ehr) == "search (QIDO-RS)"
    assert steps(ehr)["search (QIDO-RS)"].remedy == remedy


@pytest.mark.parametrize(("kind", "body"), [("text/html", b"<html>"), ("application/dicom+json", b"half")])
def test_a_web_page_is_no_archive(kind: str, body: bytes, ehr: Ehr) -> None:
    with serving(WebArchive()) as stranger:
        stranger.kind, stranger.body = kind, body
        Pacs.objects.create(ehr=ehr, kind=Pacs.Kind.DICOMWEB, url=stranger.url, private_network=True)
        assert stopped_at(ehr) == "search (QIDO-RS)"


def test_an_archive_that_never_answers_is_not_waited_for(ehr: Ehr, settings: Settings) -> None:
    settings.FHIR_TIMEOUT_SECONDS = settings.FHIR_ANSWER_SECONDS = 0.2
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        Pacs.objects.create(
            ehr=ehr, kind=Pacs.Kind.DIMSE, host="127.0.0.1", port=port, called_ae="PACS", private_network=True
        )
        assert stopped_at(ehr) == "association and C-ECHO"


def test_certificates_that_are_none_are_a_failing_step_and_not_a_crash(ehr: Ehr) -> None:
    Pacs.objects.create(
        ehr=ehr,
        kind=Pacs.Kind.DIMSE,
        host="127.0.0.1",
        port=9,
        called_ae="PACS",
        tls=True,
        trusted_certificates="no certificate",
    )
    assert stopped_at(ehr) == "settings"

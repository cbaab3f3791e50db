"""What the answer to a STOW-RS request means: its sequences count, not its HTTP status (PS3.18, 10.5.3)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import requests
from pydicom.dataset import FileDataset
from pytest_django import Settings

from cds.dicom.archive import DicomWeb
from cds.dicom.deliver import Delivered, deliver
from cds.dicom.report import structured_report
from cds.errors import ArchiveInvalid, ArchiveRefused, ArchiveUnreachable
from cds.http import bounded
from tests.cds.saved import ADA, OBSERVATION, REPORT
from tests.pacs import WebArchive
from tests.serving import serving


@pytest.fixture
def archive() -> Iterator[WebArchive]:
    with serving(WebArchive()) as server:
        yield server


def report(assessment: str) -> FileDataset:
    record = msgspec.structs.replace(REPORT, assessment_id=assessment)
    return structured_report(record, measured=OBSERVATION, patient=ADA)


FIRST, SECOND = report("first"), report("second")


def send(archive: WebArchive, *instances: FileDataset, url: str = "") -> Delivered:
    session = bounded(requests.Session(), origins=(archive.url,), private_network=True)
    return deliver(instances or (FIRST, SECOND), to=DicomWeb(url=url or archive.url, session=session))


def item(instance: FileDataset, **codes: int) -> dict[str, Any]:
    tags = {"WarningReason": "00081196", "FailureReason": "00081197"}
    uid = {"00081155": {"vr": "UI", "Value": [instance.SOPInstanceUID]}}
    return uid | {tags[name]: {"vr": "US", "Value": [code]} for name, code in codes.items()}


def answer(
    archive: WebArchive, status: int, *, stored: list[Any] | None = None, failed: list[Any] | None = None
) -> None:
    sequences = {"00081199": stored, "00081198": failed}
    body = {tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items() if items is not None}
    archive.status, archive.body = status, json.dumps(body).encode()


def test_both_in_the_referenced_sequence_are_stored(archive: WebArchive) -> None:
    answer(archive, 200, stored=[item(FIRST), item(SECOND)])
    assert send(archive) == Delivered(uids=(FIRST.SOPInstanceUID, SECOND.SOPInstanceUID))


def test_a_media_type_with_a_parameter_is_read_all_the_same(archive: WebArchive) -> None:
    archive.kind = "application/dicom+json; charset=utf-8"
    answer(archive, 200, stored=[item(FIRST), item(SECOND)])
    assert send(archive).remarks == ()


def test_an_answer_in_xml_is_read_too(archive: WebArchive) -> None:
    archive.kind = "application/dicom+xml"
    archive.body = f"""<NativeDicomModel><DicomAttribute tag="00081199" vr="SQ" keyword="ReferencedSOPSequence">
      <Item number="1"><DicomAttribute tag="00081155" vr="UI" keyword="ReferencedSOPInstanceUID">
      <Value number="1">{FIRST.SOPInstanceUID}</Value></DicomAttribute></Item></DicomAttribute></NativeDicomModel>
    """.encode()
    assert send(archive, FIRST).uids == (FIRST.SOPInstanceUID,)


def test_what_the_archive_changed_is_remarked(archive: WebArchive) -> None:
    answer(archive, 202, stored=[item(FIRST, WarningReason=0xB000), item(SECOND)])
    assert send(archive).remarks == ("the structured report: it changed some of it (B000)",)


def test_ok_with_a_failure_inside_is_a_failure(archive: WebArchive) -> None:
    answer(archive, 200, stored=[item(FIRST)], failed=[item(SECOND, FailureReason=0x0122)])
    with pytest.raises(ArchiveRefused, match=r"took 1 of 2.*takes no objects of this kind \(0122\)") as caught:
        send(archive)
    assert caught.value.stored == (FIRST.SOPInstanceUID,)
    assert not caught.value.retry


@pytest.mark.parametrize("status", [200, 202, 409, 500])
def test_an_archive_out_of_room_may_be_tried_again_whatever_its_http_status(status: int, archive: WebArchive) -> None:
    answer(archive, status, failed=[item(FIRST, FailureReason=0xA700), item(SECOND, FailureReason=0x0110)])
    with pytest.raises(ArchiveRefused, match="took none of 2") as caught:
        send(archive)
    assert caught.value.retry


def test_one_lasting_reason_makes_the_whole_not_worth_trying_again(archive: WebArchive) -> None:
    answer(archive, 409, failed=[item(FIRST, FailureReason=0xA700), item(SECOND, FailureReason=0xA900)])
    with pytest.raises(ArchiveRefused) as caught:
        send(archive)
    assert not caught.value.retry


def test_an_instance_that_is_not_mentioned_is_not_stored(archive: WebArchive) -> None:
    answer(archive, 200, stored=[item(FIRST)])
    with pytest.raises(ArchiveRefused, match="says nothing about it") as caught:
        send(archive)
    assert caught.value.retry


def test_a_failure_without_a_name_is_that_of_the_instance_which_is_not_mentioned(archive: WebArchive) -> None:
    nameless = {"0008119A": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xC000]}}]}}
    stored = {"00081199": {"vr": "SQ", "Value": [item(FIRST)]}}
    archive.status, archive.body = 202, json.dumps(stored | nameless).encode()
    with pytest.raises(ArchiveRefused, match=r"took 1 of 2.*\(C000\)") as caught:
        send(archive)
    assert not caught.value.retry


def test_an_instance_that_is_there_already_is_there(archive: WebArchive) -> None:
    answer(archive, 409, failed=[item(FIRST, FailureReason=0x0111)])
    assert send(archive, FIRST).remarks == ("the structured report: it was there already (0111)",)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", b"<html>Welcome</html>"),
        ("application/dicom+json", b"<html>"),
        ("application/dicom+json", b"[]"),
        ("application/dicom+json", b"{}"),
        ("application/dicom+xml", b"<half"),
        ("application/dicom+json", b'{"00081199": {"vr": "SQ", "Value": 7}}'),
        ("", b""),
    ],
)
def test_ok_without_a_word_of_what_was_stored_is_no_success(kind: str, body: bytes, archive: WebArchive) -> None:
    archive.kind, archive.body = kind, body
    with pytest.raises(ArchiveInvalid) as caught:
        send(archive)
    assert not caught.value.retry


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_archive_may_be_tried_again(status: int, archive: WebArchive) -> None:
    archive.status, archive.kind, archive.body = status, "text/html", b"<html>busy</html>"
    with pytest.raises(ArchiveUnreachable, match=str(status)):
        send(archive)


@pytest.mark.parametrize("status", [400, 404, 415])
def test_a_request_that_is_refused_is_not_tried_again(status: int, archive: WebArchive) -> None:
    archive.status, archive.kind, archive.body = status, "text/plain", b"no"
    with pytest.raises(ArchiveRefused, match=str(status)) as caught:
        send(archive)
    assert not caught.value.retry


def test_an_archive_that_never_answers_is_not_waited_for(archive: WebArchive, settings: Settings) -> None:
    settings.FHIR_TIMEOUT_SECONDS = 0.2
    archive.silent = True
    with pytest.raises(ArchiveUnreachable, match="did not answer"):
        send(archive)


def test_a_redirect_is_not_followed(archive: WebArchive) -> None:
    archive.status, archive.headers = 302, {"Location": "https://elsewhere.example/studies"}
    with pytest.raises(ArchiveRefused) as caught:
        send(archive)
    assert not caught.value.retry


def test_another_origin_than_the_registered_one_is_not_asked(archive: WebArchive) -> None:
    with pytest.raises(ArchiveRefused, match="address cannot be used"):
        send(archive, url=archive.url.replace("127.0.0.1", "localhost"))

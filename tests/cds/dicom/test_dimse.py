"""What a C-STORE's status means, and what may befall an association."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import ComprehensiveSRStorage, EncapsulatedPDFStorage, ImplicitVRLittleEndian
from pynetdicom import evt
from pytest_django import Settings

from cds.dicom.archive import Dimse
from cds.dicom.deliver import Delivered, deliver
from cds.dicom.report import structured_report
from cds.errors import ArchiveRefused, ArchiveUnreachable
from tests.cds.saved import ADA, OBSERVATION, REPORT
from tests.pacs import dimse_archive


def report(assessment: str) -> FileDataset:
    record = msgspec.structs.replace(REPORT, assessment_id=assessment)
    return structured_report(record, measured=OBSERVATION, patient=ADA)


FIRST, SECOND = report("first"), report("second")


def answers(*codes: int) -> Callable[[evt.Event], int]:
    """One for each C-STORE."""
    left: Iterator[int] = iter(codes)
    return lambda _event: next(left)


def send(port: int, **changed: Any) -> Delivered:
    to: dict[str, Any] = {"host": "127.0.0.1", "called": "PACS", "calling": "BEDSIDE", "private_network": True}
    return deliver((FIRST, SECOND), to=Dimse(**(to | {"port": port} | changed)))


def test_success_is_success_and_a_warning_is_remarked() -> None:
    with dimse_archive([ComprehensiveSRStorage], store=answers(0x0000, 0xB006)) as port:
        delivered = send(port)
    assert delivered.uids == (FIRST.SOPInstanceUID, SECOND.SOPInstanceUID)
    assert delivered.remarks == ("the structured report: it left some of it out (B006)",)


def test_half_stored_says_which_half() -> None:
    with (
        dimse_archive([ComprehensiveSRStorage], store=answers(0x0000, 0xA702)) as port,
        pytest.raises(ArchiveRefused, match=r"took 1 of 2.*no room or time now \(A702\)") as caught,
    ):
        send(port)
    assert caught.value.stored == (FIRST.SOPInstanceUID,)
    assert caught.value.retry


@pytest.mark.parametrize("code", [0x0117, 0x0122, 0x0124, 0xA900, 0xC000])
def test_a_lasting_refusal_is_not_tried_again(code: int) -> None:
    with (
        dimse_archive([ComprehensiveSRStorage], store=answers(code, code)) as port,
        pytest.raises(ArchiveRefused, match=f"took none of 2.*{code:04X}") as caught,
    ):
        send(port)
    assert not caught.value.retry


def test_an_archive_that_takes_no_reports_says_so_before_anything_is_sent() -> None:
    with (
        dimse_archive([EncapsulatedPDFStorage], store=answers()) as port,
        pytest.raises(ArchiveRefused, match="takes no objects of this kind"),
    ):
        send(port)


def test_an_archive_of_implicit_vr_alone_is_served() -> None:
    got: list[str] = []

    def keep(event: evt.Event) -> int:
        got.append(str(event.dataset.PatientName))
        assert event.context.transfer_syntax == ImplicitVRLittleEndian
        return 0x0000

    with dimse_archive([ComprehensiveSRStorage], store=keep, transfer_syntax=ImplicitVRLittleEndian) as port:
        send(port)
    assert got == ["Lindqvist^Ada"] * 2


def test_an_archive_that_breaks_off_half_way_may_be_tried_again() -> None:
    def abort(event: evt.Event) -> int:
        event.assoc.abort(block=False)
        return 0x0000

    with (
        dimse_archive([ComprehensiveSRStorage], store=abort) as port,
        pytest.raises(ArchiveUnreachable, match="broke the connection off"),
    ):
        send(port)


def test_an_archive_that_is_down_may_be_tried_again() -> None:
    with pytest.raises(ArchiveUnreachable):
        send(9)  # the port "discard": nobody listens


@pytest.mark.parametrize("said", [b"", b"\x02\x00\x00\x00\x01\x00half", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_is_no_archive_or_stops_in_the_middle_is_not_waited_for(said: bytes, settings: Settings) -> None:
    settings.FHIR_TIMEOUT_SECONDS = settings.FHIR_ANSWER_SECONDS = 0.3
    with listening(said) as port, pytest.raises(ArchiveUnreachable):
        send(port)


def test_a_private_address_needs_to_be_allowed() -> None:
    with pytest.raises(ArchiveRefused, match="private network"):
        send(9, private_network=False)


def test_a_host_that_nobody_knows_may_be_known_later() -> None:
    with pytest.raises(ArchiveUnreachable, match="does not resolve"):
        send(104, host="archive.invalid")


class listening:  # noqa: N801 -- reads as a verb
    """A socket that says `said` to whoever calls, and no more."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> int:
        self._thread.start()
        return int(self._server.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        caller, _ = self._server.accept()
        with caller:
            caller.sendall(self._said)
            with suppress(ConnectionResetError):
                while caller.recv(4096):  # until the caller hangs up
                    pass

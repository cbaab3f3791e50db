"""What archives do on bad days, over C-STORE and STOW-RS: nothing is lost, nothing is there twice, the person is told."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pydicom
import pytest
from pydicom.uid import ComprehensiveSRStorage, EncapsulatedPDFStorage
from pynetdicom import evt

from cds.models import Pacs, WriteBack
from cds.writeback import outbox, resume
from tests.cds.writeback.conftest import Ada
from tests.pacs import WebArchive, dimse_archive
from tests.serving import serving

Status = WriteBack.Status
NO_ROOM, NOT_LIKE_THIS, BREAKS_OFF = 0xA700, 0xA900, -1
NOWHERE = 9  # the port "discard": nobody listens


@dataclass
class Kept:
    """What an archive has, by SOP Instance UID, and how it answers: a status for each instance, then success."""

    answers: list[int] = field(default_factory=list)
    instances: dict[str, str] = field(default_factory=dict)

    def take(self, dataset: Any) -> int:
        """Kept even where it breaks off: nobody is there to hear so."""
        status = self.answers.pop(0) if self.answers else 0
        if status in {0, BREAKS_OFF}:
            self.instances[str(dataset.SOPInstanceUID)] = str(dataset.Modality)
        return status


class Stow(WebArchive):
    """Takes what it is sent and says so, instance by instance."""

    kept: Kept

    def hear(self, content: bytes) -> None:
        boundary = content.strip().partition(b"\r\n")[0]
        parts = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in content.split(boundary)[1:-1]]
        said: dict[str, list[Any]] = {"00081199": [], "00081198": []}
        self.status = 200
        for part in parts:
            dataset = pydicom.dcmread(io.BytesIO(part))
            item: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [str(dataset.SOPInstanceUID)]}}
            status = self.kept.take(dataset)
            if status == BREAKS_OFF:
                self.status = 503
            failed = {"00081197": {"vr": "US", "Value": [status]}} if status else {}
            said["00081198" if status else "00081199"].append(item | failed)
        body = {tag: {"vr": "SQ", "Value": items} for tag, items in said.items() if items}
        self.body = b"" if self.status == 503 else json.dumps(body).encode()


@contextmanager
def stow(kept: Kept, row: Pacs) -> Iterator[None]:
    with serving(Stow()) as server:
        assert isinstance(server, Stow)
        server.kept, row.url = kept, server.url
        row.save()
        yield


@contextmanager
def c_store(kept: Kept, row: Pacs) -> Iterator[None]:
    def store(event: evt.Event) -> int:
        status = kept.take(event.dataset)
        if status == BREAKS_OFF:
            event.assoc.abort(block=False)
        return max(status, 0)

    with dimse_archive([ComprehensiveSRStorage, EncapsulatedPDFStorage], store=store) as row.port:
        row.save()
        yield


WAYS = {"STOW-RS": (Pacs.Kind.DICOMWEB, stow), "C-STORE": (Pacs.Kind.DIMSE, c_store)}
# What each instance is answered; what becomes of the row; what the person reads; what the archive has by then.
BAD_DAYS: dict[str, tuple[list[int], str, str, int]] = {
    "rejects": ([NOT_LIKE_THIS, NOT_LIKE_THIS], Status.FAILED, "The archive took none of 2; the", 0),
    "has no room": ([NO_ROOM, NO_ROOM], Status.QUEUED, "it has no room or time now", 0),
    "stores half and may take the rest": ([0, NO_ROOM], Status.QUEUED, "The archive took 1 of 2; the PDF", 1),
    "stores half and rejects the rest": ([0, NOT_LIKE_THIS], Status.FAILED, "The archive took 1 of 2; the PDF", 1),
    "stores and breaks off": ([BREAKS_OFF], Status.QUEUED, "The archive ", 1),
}


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest, ada: Ada) -> tuple[Pacs, Any]:
    ada.server.put({**ada.server.chart["Patient/ada"][-1], "identifier": [{"system": "urn:mrn", "value": "1"}]})
    ada.ehr.mrn_system = "urn:mrn"
    ada.ehr.save()
    kind, serving = WAYS[request.param]
    there = {"url": f"http://127.0.0.1:{NOWHERE}/dicom-web", "host": "127.0.0.1", "port": NOWHERE, "called_ae": "PACS"}
    row = Pacs.objects.create(ehr=ada.ehr, kind=kind, private_network=True, calling_ae="BEDSIDE", **there)
    return row, serving


def pressed(ada: Ada) -> WriteBack:
    """The archive's row after the first try; the chart has its result whatever the archive does."""
    assessment = ada.assessed()
    assert ada.press(assessment).status == Status.SENT
    return assessment.write_backs.get(target="archive")


def sent_again(row: WriteBack) -> WriteBack:
    """By the beat, or by an administrator where it was given up."""
    outbox.again(WriteBack.objects.filter(pk=row.pk), reason="it is mended")
    resume(row.pk)
    row.refresh_from_db()
    return row


def require_whole(row: WriteBack, kept: Kept) -> None:
    assert (row.status, row.failure, row.payload) == (Status.SENT, "", None)
    assert sorted(kept.instances.values()) == ["DOC", "SR"]
    assert sorted(row.resources) == sorted(kept.instances)


@pytest.mark.parametrize("day", BAD_DAYS)
def test_on_a_bad_day_the_report_is_kept_and_on_a_better_one_it_is_there_once(
    ada: Ada, way: tuple[Pacs, Any], day: str
) -> None:
    (pacs, serving), (answers, status, said, there) = way, BAD_DAYS[day]
    kept = Kept(answers=list(answers))
    with serving(kept, pacs):
        row = pressed(ada)
        assert (row.status, said in row.failure, row.payload is not None) == (status, True, True), row.failure
        assert len(kept.instances) >= there
        kept.answers.clear()
        require_whole(sent_again(row), kept)


def test_while_it_is_down_the_report_waits_encrypted_and_goes_once_it_is_up(ada: Ada, way: tuple[Pacs, Any]) -> None:
    row = pressed(ada)
    assert (row.status, row.payload is not None) == (Status.QUEUED, True)
    assert row.failure.startswith("The archive did not answer")
    pacs, serving = way
    with serving(kept := Kept(), pacs):
        require_whole(sent_again(row), kept)


def test_sent_twice_it_is_there_once(ada: Ada, way: tuple[Pacs, Any]) -> None:
    """A worker that was taken for dead and one that took over: both send the same instances."""
    pacs, serving = way
    with serving(kept := Kept(answers=[BREAKS_OFF]), pacs):
        row = pressed(ada)
        before = dict(kept.instances)
        require_whole(sent_again(row), kept)
    assert before.items() <= kept.instances.items()

"""An upload on its way to disk: piece by piece, within limits, in a folder that goes if the batch is not begun."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import uuid
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec
from django.conf import settings
from msgspec import Struct

from cds.errors import TooLarge
from cds.fhir.decoding import UNREADABLE
from cds.population import ARRIVING
from smartapp.backend.refusals import Busy, Issue, Unusable

logger = logging.getLogger(__name__)

PIECE = 1 << 20  # bytes read, inflated and written at once
LONGEST_LINE = 20_000_000  # what is longer is not looked at here; the run accounts for it
NO_ROOM_SECONDS = 3600
_GZIP = b"\x1f\x8b"  # RFC 1952, 2.3.1; no NDJSON begins so


class _Kind(Struct, rename="camel"):
    resource_type: str = ""


_kind = msgspec.json.Decoder(_Kind)


@dataclass
class Arriving:
    """`most_patients`: more are refused before anything is kept."""

    folder: Path
    most_patients: int
    patients: int = 0
    size: int = 0
    files: list[IO[bytes]] = field(default_factory=list)

    def part(self) -> Part:
        """The next file; its name is ours, as theirs may name a patient."""
        path = self.folder / f"part-{len(self.files) + 1:03}.ndjson"
        with _room():
            self.files.append(os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"))
        return Part(self, self.files[-1])

    def count(self, written: int, patients: int) -> None:
        self.size += written
        self.patients += patients
        if self.size > settings.BATCH_MAX_BYTES:
            raise too_large()
        if self.patients > self.most_patients:
            raise TooLarge(f"the batch has more than the {self.most_patients} patients that this caller may send")

    def close(self) -> None:
        """What broke off half-way is closed, too; what it could not write went with it."""
        for file in self.files:
            with suppress(OSError):
                file.close()

    def move_to(self, place: Path) -> None:
        with _room():
            self.folder.rename(place)


@dataclass
class Part:
    """One file of the upload; gzip is known by its first bytes and inflated on the way, so that limits mean what they say."""

    whole: Arriving
    file: IO[bytes]
    _begun: bytes = b""
    _inflating: zlib._Decompress | None = None
    _known: bool = False
    _line: bytearray = field(default_factory=bytearray)
    _skipping: bool = False

    def write(self, piece: bytes) -> None:
        if not self._known:
            self._begun += piece
            if len(self._begun) < len(_GZIP):
                return
            piece, self._begun, self._known = self._begun, b"", True
            self._inflating = _inflater() if piece.startswith(_GZIP) else None
        if self._inflating is None:
            self._keep(piece)
        else:
            self._inflate(piece)

    def close(self) -> None:
        """Unusable if it ended before its end."""
        if self._begun:
            self._keep(self._begun)
        if self._inflating is not None and not self._inflating.eof:
            raise Unusable(Issue("incomplete", "the gzip file ends before its end"))
        if self._line or self._skipping:
            self._keep(b"\n")  # the last line counts, too
        with _room():
            self.file.close()

    def _inflate(self, piece: bytes) -> None:
        inflating = self._inflating or _inflater()
        try:
            more = False  # is there output that waits for room, though all of its input was taken?
            while piece or more:
                if inflating.eof:  # several members make one file (RFC 1952, 2.2)
                    inflating = _inflater()
                found = inflating.decompress(piece, PIECE)
                self._keep(found)
                piece = inflating.unconsumed_tail or inflating.unused_data
                more = len(found) == PIECE and not inflating.eof
        except zlib.error as error:
            raise Unusable(Issue("structure", "the gzip file is damaged")) from error
        self._inflating = inflating

    def _keep(self, piece: bytes) -> None:
        self.whole.count(len(piece), self._patients(piece))
        with _room():
            self.file.write(piece)

    def _patients(self, piece: bytes) -> int:
        """Lines that end in this piece and are of a Patient."""
        *ends, rest = piece.split(b"\n")
        found = 0
        for end in ends:
            self._line += end
            found += not self._skipping and _is_patient(self._line)
            self._line.clear()
            self._skipping = False
        self._line += rest
        if len(self._line) > LONGEST_LINE:
            self._line.clear()
            self._skipping = True
        return found


def too_large() -> TooLarge:
    return TooLarge(f"the upload has more than {settings.BATCH_MAX_BYTES // 1_000_000} MB")


def _inflater() -> zlib._Decompress:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


def _is_patient(line: bytearray) -> bool:
    if b'"Patient"' not in line:
        return False
    try:
        return _kind.decode(line).resource_type == "Patient"
    except UNREADABLE:
        return False


@contextmanager
def arriving(*, most_patients: int) -> Iterator[Arriving]:
    """A folder for its owner's eyes; whoever begins a run with it has moved it away."""
    folder = Path(settings.BULK_FOLDER) / f"{ARRIVING}{uuid.uuid4()}"
    try:
        with _room():
            folder.mkdir(mode=0o700, parents=True)
        upload = Arriving(folder, most_patients)
        with closing(upload):
            yield upload
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _room() -> Iterator[None]:
    """A disk that is full, or may not be written, is ours to mend; the caller is told to come back."""
    try:
        yield
    except OSError as error:
        logger.error("BULK_FOLDER takes no uploads: %s", errno.errorcode.get(error.errno or 0, "unknown"))
        raise Busy(
            "Uploads cannot be stored just now; an administrator has been told.", wait=NO_ROOM_SECONDS
        ) from error

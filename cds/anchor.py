"""The anchor: the newest seal of the audit trail, line by line in a file that belongs on another system or a WORM disk."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec
from django.conf import settings
from django.utils import timezone


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """One line."""

    sequence: int
    seal: str
    at: str


def append(sequence: int, seal: str) -> None:
    """One write to a file opened for appending, on the disk when this returns."""
    line = msgspec.json.encode(Anchor(sequence=sequence, seal=seal, at=timezone.now().isoformat())) + b"\n"
    settings.AUDIT_ANCHOR_FILE.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(settings.AUDIT_ANCHOR_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if os.write(target, line) != len(line):
            raise OSError("the anchor file took only a part of its line")
        os.fsync(target)
    finally:
        os.close(target)


def exists() -> bool:
    return settings.AUDIT_ANCHOR_FILE.exists()


class Anchors:
    """The lines that are there now; what is appended while they are read is left for the next time.

    `unreadable`: how many were passed over so far. A disk that was full may have torn one.
    """

    def __init__(self) -> None:
        self._size = settings.AUDIT_ANCHOR_FILE.stat().st_size if exists() else 0
        self.unreadable = 0

    def __iter__(self) -> Iterator[Anchor]:
        left = self._size
        if not left:
            return
        with settings.AUDIT_ANCHOR_FILE.open("rb") as lines:
            for line in lines:
                try:
                    yield msgspec.json.decode(line, type=Anchor)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    self.unreadable += 1
                left -= len(line)
                if left <= 0:
                    return

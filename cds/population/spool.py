"""A run's records on disk, sorted by patient: any number of lines goes in, one patient after the other comes out.

Lines are appended to one of many files by the checksum of their patient's id, so that each file fits into memory and
holds all of its patients. That is all the sorting that is needed, and cheaper than a table
(docs/decisions/014-sorted-by-python.md).
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from cds.fhir.files import Chart
from cds.fhir.newest import changed_at
from cds.fhir.newest import newest as newest_of

PART = 16_000_000  # bytes of a file of the spool, about
HELD_BACK = 32_000_000  # bytes that wait for their files at most
TOO_LARGE = 64_000_000  # bytes of one patient's lines


class Entry(NamedTuple):
    """One line: whose, what, where it stood, when it was last changed. `id`: "" where it cannot be told from others."""

    owner: str
    kind: str
    id: str
    file: int
    line: int
    changed: str
    raw: bytes

    @property
    def key(self) -> bytes:
        return f"{self.owner}\t{self.kind}\t{self.id}".encode()

    @property
    def place(self) -> bytes:
        return f"\t{self.file}\t{self.line}\t{self.changed}\t".encode()

    def packed(self) -> bytes:
        return self.key + self.place + self.raw

    @classmethod
    def unpacked(cls, packed: bytes) -> Entry:
        owner, kind, name, file, line, changed, raw = packed.rstrip(b"\n").split(b"\t", 6)
        return cls(owner.decode(), kind.decode(), name.decode(), int(file), int(line), changed.decode(), raw)

    def age(self) -> tuple[datetime, int, int]:
        return changed_at(self.changed), self.file, self.line


class Contents(msgspec.Struct):
    """What is in a spool that is whole: how many patients each part has, and who has more than can be held.

    `several`: the parts in which a resource has several lines. Few exports have any, and looking costs time.
    """

    patients: list[int]
    too_large: list[str]
    several: list[int]

    def left(self, after: int) -> Iterator[tuple[int, int]]:
        """The parts that are not done when the first `after` patients are; and of each, how many are."""
        for number, patients in enumerate(self.patients):
            if after < patients:
                yield number, after
            after = max(0, after - patients)


class Spool:
    """`parts`: over how many files the lines are spread."""

    def __init__(self, folder: Path, *, parts: int = 1) -> None:
        self.folder, self.parts = folder, parts
        self._lines: defaultdict[int, list[bytes]] = defaultdict(
            list
        )  # joined when they are written: each is copied once
        self._keys: defaultdict[int, list[bytes]] = defaultdict(list)
        self._held = 0

    @classmethod
    def empty(cls, folder: Path, *, expected: int) -> Spool:
        """For so many bytes. What an earlier try left is gone."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        return cls(folder, parts=parts_of(expected))

    @property
    def _list(self) -> Path:
        return self.folder / "contents.json"

    def contents(self) -> Contents | None:
        """None of a spool that is not whole."""
        return msgspec.json.decode(self._list.read_bytes(), type=Contents) if self._list.exists() else None

    # --- In ------------------------------------------------------------------------------------------------------
    def put(self, entry: Entry) -> None:
        number, key = crc32(entry.owner.encode()) % self.parts, entry.key
        self._lines[number] += (key, entry.place, entry.raw, b"\n")
        self._keys[number] += (key, b"\n")
        self._held += len(entry.raw)
        if self._held > HELD_BACK:
            self.flush()

    def flush(self) -> None:
        for waiting, place in ((self._lines, self._part), (self._keys, self._index)):
            for number, texts in waiting.items():
                with place(number).open("ab") as stream:
                    stream.write(b"".join(texts))
            waiting.clear()
        self._held = 0

    def close(self, contents: Contents) -> None:
        """From now on it is whole."""
        part = self._list.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(contents))
        part.replace(self._list)

    # --- Out -----------------------------------------------------------------------------------------------------
    def packed(self, number: int) -> Iterator[bytes]:
        """The lines of one part, in the order in which they were put."""
        if self._part(number).exists():
            with self._part(number).open("rb") as stream:
                yield from stream

    def keys(self, number: int) -> list[bytes]:
        """Owner, kind and id of each line of one part, tab between."""
        file = self._index(number)
        return file.read_bytes().splitlines() if file.exists() else []

    def entries(self, number: int) -> Iterator[Entry]:
        return map(Entry.unpacked, self.packed(number))

    def part(self, number: int, contents: Contents) -> list[Chart]:
        """Everybody there, by id."""
        too_large = frozenset(contents.too_large)
        if number not in contents.several:
            return _charts(map(_of_line, self.packed(number)), too_large)
        entries = self.entries(number)
        return charts_of(
            newest(one for one in entries if one.kind == "Patient" or one.owner not in too_large), too_large
        )

    def size(self, number: int) -> int:
        """Of one part, in bytes."""
        return self._part(number).stat().st_size if self._part(number).exists() else 0

    def _part(self, number: int) -> Path:
        return self.folder / f"{number}.lines"

    def _index(self, number: int) -> Path:
        return self.folder / f"{number}.keys"


def parts_of(size: int) -> int:
    """Into how many so many bytes go."""
    return 1 + size // PART


def charts_of(entries: Iterable[Entry], too_large: frozenset[str]) -> list[Chart]:
    """By id. Each resource has one line."""
    return _charts(((entry.owner, entry.kind, entry.raw) for entry in entries), too_large)


def _charts(lines: Iterable[tuple[str, str, bytes]], too_large: frozenset[str]) -> list[Chart]:
    """Of owner, kind and text of each."""
    patients: dict[str, bytes] = {}
    others: defaultdict[str, defaultdict[str, list[bytes]]] = defaultdict(lambda: defaultdict(list))
    for owner, kind, raw in lines:
        if kind == "Patient":
            patients[owner] = raw
        elif owner not in too_large:
            others[owner][kind].append(raw)
    return [_chart(key, patients[key], others[key], cut=key in too_large) for key in sorted(patients)]


def _of_line(packed: bytes) -> tuple[str, str, bytes]:
    """What a chart needs of it."""
    owner, kind, _, _, _, _, raw = packed.split(b"\t", 6)
    return owner.decode(), kind.decode(), raw


def newest(entries: Iterable[Entry]) -> Iterable[Entry]:
    """Without those whose resource a newer line has, too."""
    return newest_of(entries, same=lambda one: (one.owner, one.kind, one.id) if one.id else None, age=Entry.age)


def older(entries: list[Entry]) -> list[Entry]:
    """All the others, in their order."""
    kept = {(entry.file, entry.line) for entry in newest(entries)}
    return [entry for entry in entries if (entry.file, entry.line) not in kept]


def _chart(owner: str, patient: bytes, others: dict[str, list[bytes]], *, cut: bool) -> Chart:
    return Chart(id=owner, names={f"Patient/{owner}"}, resources={"Patient": [patient], **others}, cut=cut)

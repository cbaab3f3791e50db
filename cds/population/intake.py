"""The files of a run, read once: what matters goes into the spool, and every line is accounted for by file and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Set
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from cds.bulk.accounts import LISTED, Account
from cds.bulk.deleted import deleted
from cds.errors import BadInput
from cds.fhir.decoding import UNREADABLE
from cds.fhir.files import head_of, owner_of
from cds.fhir.versions import names_of
from cds.models import PopulationFlaw, PopulationRun
from cds.needs import Need
from cds.population.lines import ENDINGS, Line, Lines, Wanted
from cds.population.spool import TOO_LARGE, Contents, Entry, Spool, older

PACKED = tuple(f".ndjson.{kind}" for kind in ("7z", "br", "bz2", "lz4", "tar", "tgz", "xz", "z", "zip", "zst"))
_LOOK_AFTER = 50_000  # lines that matter

CUT_OFF = "cut off"
NOT_FHIR = "not FHIR JSON"
NO_ID = "a patient without an id"
DELETED = "deleted at the EHR"
NOBODY = "says not whose it is"
NO_SUCH_PATIENT = "no such patient in these files"
SAME_PATIENT = "a newer line has the same patient"
SAME_RESOURCE = "a newer line has the same resource"


class Owners(NamedTuple):
    """Of one part of the spool: who is there at all, who with a Patient, who has too much to be held; and the keys (owner,
    kind, id) of resources with several lines."""

    everybody: Set[bytes]
    here: Set[bytes]
    too_large: Set[bytes]
    again: Set[bytes]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How far the reading is."""

    file: str
    line: int


class Accounts:
    """Every line of every file: used, wrong (the first of each kind are listed in `flaws`), or wanted by nobody."""

    def __init__(self, run: PopulationRun, folder: Path, files: list[Path]) -> None:
        self.run, self.folder, self.files = run, folder, files
        self.flaws: list[PopulationFlaw] = []
        self._by_file = [Account() for _ in files]

    def of(self, file: int) -> Account:
        return self._by_file[file]

    def name(self, file: int) -> str:
        return str(self.files[file].relative_to(self.folder))

    def flaw(self, file: int, line: int, reason: str, *, taken_back: bool = False) -> None:
        """`taken_back`: it was counted as used."""
        account = self.of(file)
        account.used -= taken_back
        account.flaws[reason] = account.flaws.get(reason, 0) + 1
        if account.flaws[reason] <= LISTED:
            self.flaws.append(PopulationFlaw(run=self.run, file=self.name(file)[:200], line=line, reason=reason))

    def said(self) -> dict[str, Any]:
        """By file, for the run's row."""
        return {self.name(number): msgspec.to_builtins(account) for number, account in enumerate(self._by_file)}


class Intake:
    """Iterate over it, and it reads; what it yields is how far it is. Then `accounts` say what was found.

    Raises BadInput for a folder in which there is nothing to read.
    """

    def __init__(self, run: PopulationRun, needs: Iterable[Need], *, folder: Path, spool: Path) -> None:
        needs = tuple(needs)
        self.types = types_of(needs)
        self.wanted = Wanted.of(needs)
        self.gone = deleted(run)
        self.files = files_in(folder)
        self.spool = Spool.empty(spool, expected=size_of(self.files))
        self.accounts = Accounts(run, folder, self.files)

    def __iter__(self) -> Iterator[Reading]:
        for number, file in enumerate(self.files):
            yield Reading(file=self.accounts.name(number), line=0)
            lines = Lines(file, self.wanted, folder=self.spool.folder)
            for seen, line in enumerate(lines, start=1):
                self._take(number, line)
                if seen % _LOOK_AFTER == 0:
                    yield Reading(file=self.accounts.name(number), line=line.number)
            self.accounts.of(number).lines = lines.count
        self.spool.flush()

    def settle(self) -> Contents:
        """Who is in each part; what belongs to nobody there is a flaw, too."""
        patients, too_large, several = [], list[str](), []
        for number in range(self.spool.parts):
            found = self._owners(number)
            patients.append(len(found.here))
            too_large += [owner.decode() for owner in found.too_large & found.here]
            if found.again or found.everybody - found.here:
                self._take_back(number, found)
            if found.again:
                several.append(number)
        return Contents(patients=patients, too_large=too_large, several=several)

    def _owners(self, number: int) -> Owners:
        if self.spool.size(number) > TOO_LARGE:
            return self._owners_of_much(number)
        keys = self.spool.keys(number)
        each = set(keys)
        again = several_of(keys) if len(each) < len(keys) else frozenset[bytes]()
        return owners_of(each, too_large=frozenset(), again=again)

    def _owners_of_much(self, number: int) -> Owners:
        """Line by line; of whom there is too much, no more is held."""
        sizes, seen, again = Counter[bytes](), set[bytes](), set[bytes]()
        for packed in self.spool.packed(number):
            owner, kind, name, _ = packed.split(b"\t", 3)
            sizes[owner] += len(packed)
            key = b"\t".join((owner, kind, name))
            if name and key in seen:
                again.add(key)
            if kind == b"Patient" or sizes[owner] <= TOO_LARGE:
                seen.add(key)
        return owners_of(seen, too_large={owner for owner, size in sizes.items() if size > TOO_LARGE}, again=again)

    def _take_back(self, number: int, found: Owners) -> None:
        """What is nobody's, and of the resources with several lines all but the newest."""
        several = dict[bytes, list[Entry]]()
        for packed in self.spool.packed(number):
            owner, kind, name, _ = packed.split(b"\t", 3)
            if owner not in found.here:
                entry = Entry.unpacked(packed)
                self.accounts.flaw(entry.file, entry.line, NO_SUCH_PATIENT, taken_back=True)
            elif (key := b"\t".join((owner, kind, name))) in found.again:
                several.setdefault(key, []).append(Entry.unpacked(packed)._replace(raw=b""))
        for entries in several.values():
            for entry in older(entries):
                self.accounts.flaw(entry.file, entry.line, overtaken(entry), taken_back=True)

    def _take(self, file: int, line: Line) -> None:
        found = entry_of(line, file, self.types, self.gone)
        if isinstance(found, str):
            self.accounts.flaw(file, line.number, found)
        elif found is not None:
            self.spool.put(found)
            self.accounts.of(file).used += 1


def owners_of(keys: Set[bytes], *, too_large: Set[bytes], again: Set[bytes]) -> Owners:
    each = [key.split(b"\t") for key in keys]
    here = {owner for owner, kind, _ in each if kind == b"Patient"}
    return Owners({owner for owner, _, _ in each}, here, too_large, again)


def several_of(keys: Iterable[bytes]) -> Set[bytes]:
    """Those that stand there more than once; without an id, nothing can be told from another."""
    return {key for key, count in Counter(keys).items() if count > 1 and not key.endswith(b"\t")}


def types_of(needs: Iterable[Need]) -> frozenset[str]:
    return frozenset(name for need in needs for name in names_of(need.resource))


def entry_of(line: Line, file: int, types: Container[str], gone: Set[str]) -> Entry | str | None:
    """What is kept of a line; or why it cannot be used; or None, where nobody asks for it. `gone`: Type/id."""
    raw = line.raw.strip()
    if line.flaw or not raw:
        return line.flaw or None
    try:
        head = head_of(raw)
    except UNREADABLE as error:
        return CUT_OFF if "truncated" in str(error) and not raw.endswith(b"}") else NOT_FHIR
    if head.resource_type not in types:
        return None if head.resource_type else NOT_FHIR
    owner = owner_of(head)
    if gone and not gone.isdisjoint({f"{head.resource_type}/{head.id}", f"Patient/{owner}"}):
        return DELETED
    if not owner:
        return NO_ID if head.resource_type == "Patient" else NOBODY
    return Entry(owner, head.resource_type, _plain(head.id or ""), file, line.number, _plain(head.changed), raw)


def _plain(said: str) -> str:
    """Nothing that would end a field or a line of the spool."""
    return said if said.isprintable() else ""


def overtaken(entry: Entry) -> str:
    """Why an older line is not used."""
    return SAME_PATIENT if entry.kind == "Patient" else SAME_RESOURCE


def files_in(folder: Path) -> list[Path]:
    """NDJSON, gzipped or not, in the order in which they are read.

    Raises BadInput for none, and for one that is packed otherwise: without it, others would be answered about wrongly.
    """
    for file in folder.rglob("*"):
        if file.name.lower().endswith(PACKED):
            raise BadInput(
                f"{file.name} cannot be read: unpack it (.ndjson, .ndjson.gz), or take it out of the folder."
            )
    found = sorted(file for file in folder.rglob("*") if file.name.endswith(ENDINGS) and file.is_file())
    if not found:
        raise BadInput("The folder holds no NDJSON (.ndjson, .ndjson.gz).")
    return found


def size_of(files: Iterable[Path]) -> int:
    """In bytes of text, about."""
    return sum(file.stat().st_size * (10 if file.suffix == ".gz" else 1) for file in files)

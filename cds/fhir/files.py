"""FHIR in files: Bundles (.json) and Bulk Data (.ndjson), gzipped or not, sorted by patient."""

from __future__ import annotations

import gzip
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from cds.errors import BadInput
from cds.fhir.decoding import ABSENT, UNREADABLE
from cds.fhir.newest import changed_at, newest
from cds.fhir.read import Reader, Reading
from cds.fhir.said import relative
from cds.fhir.shapes import RawBundle, Reference, Shape
from cds.fhir.versions import names_of
from cds.needs import Need

_ENDINGS = (".json", ".ndjson")
_CUT = (EOFError, zlib.error, gzip.BadGzipFile)  # what gzip raises in the middle of a file
Found = tuple[bytes, str | None, str]  # a resource, the fullUrl of its entry, and the file that it stands in


class _Meta(Shape):
    last_updated: str | None = None


class Owned(Shape):
    """Of a resource, what tells whose it is."""

    resource_type: str = ""
    id: str | None = None
    meta: _Meta | None = None
    subject: Reference | None = None
    patient: Reference | None = None

    @property
    def reference(self) -> str:
        """As it stands there; "" where it names nobody."""
        return (self.subject or self.patient or Reference()).reference or ""

    @property
    def changed(self) -> str:
        """meta.lastUpdated; "" where it does not say."""
        return (self.meta.last_updated if self.meta else "") or ""


class Chart(msgspec.Struct):
    """One patient's raw resources by type, and the references that mean this patient.

    `cut`: there was more than can be held, and nothing but the Patient is here.
    """

    id: str
    names: set[str]
    resources: dict[str, list[bytes]]
    cut: bool = False

    def readings(self, needs: Iterable[Need], reader: Reader) -> dict[str, Reading]:
        """What each need finds here. This is the whole record: a type without lines means that there is none."""
        asked: defaultdict[str, list[Need]] = defaultdict(list)
        for need in needs:
            asked[need.resource].append(need)
        found: dict[str, Reading] = {}
        for resource, alike in asked.items():
            raws = [raw for name in names_of(resource) for raw in self.resources.get(name, ())]
            found |= reader.read_each(alike, raws)
        return found


_owned = msgspec.json.Decoder(Owned)
_bundle = msgspec.json.Decoder(RawBundle)


def charts(paths: Iterable[Path]) -> Iterator[Chart]:
    """Every patient found in the files, in the order of their ids; raises BadInput for what is not FHIR JSON."""
    return _charts(found for path in paths for file in _files(path) for found in _read(file))


def charts_in(content: bytes) -> Iterator[Chart]:
    """The same of one Bundle, or one resource."""
    return _charts(_entries(content, name="what was sent"))


def _charts(read: Iterable[Found]) -> Iterator[Chart]:
    names: defaultdict[str, set[str]] = defaultdict(set)
    owned: defaultdict[str, list[_Version]] = defaultdict(list)
    for raw, full_url, file in read:
        head = _head(raw, file=file)
        owner = f"Patient/{head.id}" if head.resource_type == "Patient" and head.id else ""
        if head.id and owner:
            names[head.id] |= {owner, full_url or owner}
        owned[owner or head.reference].append(_Version.of(head, raw))
    meant = {name: patient for patient, called in names.items() for name in called}
    patients: dict[str, list[_Version]] = {patient: [] for patient in sorted(names)}
    for reference, versions in owned.items():
        patients.get(meant.get(reference, relative(reference).rpartition("/")[2]), []).extend(versions)
    yield from (_chart(patient, names[patient], versions) for patient, versions in patients.items())


class _Version(NamedTuple):
    """One resource as it stood at some time."""

    kind: str
    id: str | None
    changed: str
    raw: bytes

    @classmethod
    def of(cls, head: Owned, raw: bytes) -> _Version:
        return cls(head.resource_type, head.id, head.changed, raw)


def _chart(patient: str, names: set[str], versions: Iterable[_Version]) -> Chart:
    """The newest version of each resource."""
    resources: defaultdict[str, list[bytes]] = defaultdict(list)
    same, age = (lambda one: (one.kind, one.id) if one.id else None), (lambda one: changed_at(one.changed))
    for one in newest(versions, same=same, age=age):
        resources[one.kind].append(one.raw)
    return Chart(id=patient, names=names, resources=dict(resources))


def head_of(raw: bytes) -> Owned:
    """Raises one of UNREADABLE."""
    return _owned.decode(raw)


def owner_of(head: Owned) -> str:
    """The patient's id; "" where it cannot be told."""
    if head.resource_type == "Patient":
        return head.id if head.id and head.id.isprintable() else ""
    return _referred(head.reference)


@lru_cache(maxsize=1024)  # one patient's lines often stand together
def _referred(reference: str) -> str:
    *kind, owner = relative(reference).split("/")
    return owner if owner.isprintable() and (not kind or kind[-1] == "Patient") else ""


def _head(raw: bytes, *, file: str) -> Owned:
    try:
        return head_of(raw)
    except UNREADABLE as error:
        raise BadInput(f"{file}: a line or entry is not FHIR JSON; nothing after it was read") from error


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise BadInput(f"{path} does not exist")
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = [file for file in files if file.is_file() and file.name.removesuffix(".gz").endswith(_ENDINGS)]
    if not found:
        raise BadInput(f"{path} holds no FHIR (.json, .ndjson, gzipped or not)")
    return found


def _read(file: Path) -> Iterator[Found]:
    """Each entry or line."""
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            if ".ndjson" in file.name:
                yield from ((line, None, file.name) for line in stream if line.strip())
                return
            content = stream.read()
    except _CUT as error:
        raise BadInput(f"{file.name} is cut off, or is not gzip") from error
    yield from _entries(content, name=file.name)


def _entries(content: bytes, *, name: str) -> Iterator[Found]:
    try:
        if _owned.decode(content).resource_type != "Bundle":
            yield content, None, name
            return
        yield from (
            (bytes(e.resource), e.full_url, name)
            for e in _bundle.decode(content).entry or ()
            if bytes(e.resource) not in ABSENT
        )
    except UNREADABLE as error:
        raise BadInput(f"{name} is not FHIR JSON") from error

"""What there is to fetch, in the words of STU1 to STU3 and of the STU4 ballot (Bulk Data, "Response - Complete Status")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urljoin

import msgspec
from msgspec import Struct

from cds.errors import FhirInvalid
from cds.fhir.decoding import UNREADABLE
from cds.http import origin
from cds.models import Export, ExportFile

_KIND = re.compile(r"[A-Z][A-Za-z]{1,59}")
Part = ExportFile.Part


class Item(Struct, rename="camel"):
    """A file. `type` is left out where `outputOrganizedBy` sorts by something else."""

    url: str
    type: str | None = None
    count: int | None = None


class Link(Struct):
    relation: str = ""
    url: str = ""


class Manifest(Struct, rename="camel"):
    """`error` is called `outcome` since STU4. Whether files take the token must be said: it is not guessed."""

    requires_access_token: bool
    transaction_time: str = ""
    output: list[Item] = []
    deleted: list[Item] = []
    error: list[Item] = []
    outcome: list[Item] = []
    link: list[Link] = []

    @property
    def parts(self) -> dict[Part, list[Item]]:
        return {Part.OUTPUT: self.output, Part.DELETED: self.deleted, Part.ERROR: [*self.error, *self.outcome]}

    def next_page(self, url: str) -> str:
        """Of a manifest in pages (STU3); "" where this is the last. `url`: where this one stood."""
        found = next((link.url for link in self.link if link.relation == "next"), "")
        return urljoin(url, found) if found else ""


def read(content: bytes) -> Manifest:
    try:
        return msgspec.json.decode(content, type=Manifest)
    except UNREADABLE as error:
        raise FhirInvalid("The EHR's list of files cannot be read: it is not a Bulk Data manifest.") from error


def files_in(pages: Iterable[tuple[str, Manifest]], export: Export) -> Iterator[ExportFile]:
    """Of all pages, each with its own address; numbered by part in the order in which they stand there."""
    numbers = dict.fromkeys(Part, 0)
    for place, page in pages:
        for part, items in page.parts.items():
            for item in items:
                numbers[part] += 1
                yield _file(export, part, item, position=numbers[part], place=place)


def _file(export: Export, part: Part, item: Item, *, position: int, place: str) -> ExportFile:
    kind = item.type or ""
    return ExportFile(
        export=export,
        part=part,
        position=position,
        kind=kind if _KIND.fullmatch(kind) else "",
        url=urljoin(place, item.url).encode(),
        count=item.count if item.count is None or item.count >= 0 else None,
    )


def require_known(files: Iterable[ExportFile], origins: Iterable[str]) -> None:
    """A file at a host that nobody registered is not fetched, and the host is said: it may only have to be entered."""
    known = {origin(one) for one in origins}
    for file in files:
        place = origin(bytes(file.url).decode())
        if place not in known:
            raise FhirInvalid(f"The EHR's list of files names a host that is not registered: {place}.")

"""One file of an export: written beside, compared with what was promised, hashed, and only then in its place."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin

import msgspec
import requests
from django.conf import settings
from requests.auth import AuthBase

from cds.bulk.pace import Fetching, passes
from cds.connect import files_session_for
from cds.errors import FhirError, FhirInvalid, FhirUnreachable
from cds.fhir.client import seconds_in
from cds.fhir.decoding import UNREADABLE
from cds.models import Ehr, ExportFile

logger = logging.getLogger(__name__)

BLOCK = 1_000_000
FILE_BYTES = 50_000_000_000  # of one file, inflated
HOPS = 5
NDJSON = {"application/fhir+ndjson", "application/ndjson", "application/x-ndjson", "ndjson"}
_UNSAID = {"", "application/octet-stream", "binary/octet-stream"}  # as cloud storage says of what it does not know
_EXPIRED = {401, 403, 404, 410}


class Expired(Exception):
    """The link opens nothing any more; the EHR's manifest may have a new one."""


class Cut(FhirError):
    """Less arrived than was promised; the same file is whole the next time, perhaps."""

    retry = True


def bring(file: ExportFile, *, ehr: Ehr, auth: AuthBase | None) -> Generator[Fetching, None, None]:
    """Download it to `file.path`. `auth` signs where the manifest says that files take the token, and only there.

    Raises Expired, and FhirUnreachable or Cut where another try may succeed.
    """
    file.path.parent.mkdir(mode=0o700, exist_ok=True)
    part = file.path.with_name(f"{file.name}.part")
    with files_session_for(ehr) as session, closing(_opened(session, bytes(file.url).decode(), auth)) as response:
        _require_ndjson(response)
        found = hashlib.sha256()
        try:
            with open(part, "wb", opener=_owner_only) as out:
                size, lines = yield from _copy(response, out, found, name=file.name)
        except FhirInvalid:
            part.unlink()
            raise
    _require_whole(file, part, lines)
    part.replace(file.path)
    file.size, file.lines, file.sha256 = size, lines, found.hexdigest()
    file.save(update_fields=["size", "lines", "sha256"])


def _opened(session: requests.Session, url: str, auth: AuthBase | None) -> requests.Response:
    """Redirects are followed by hand, to registered origins, and never with the token."""
    headers = {"Accept": "application/fhir+ndjson", "Accept-Encoding": "gzip"}
    for _ in range(HOPS):
        response = session.get(url, headers=headers, auth=auth, allow_redirects=False, stream=True)
        if not response.is_redirect:
            return _successful(response)
        response.close()
        url, auth = urljoin(url, response.headers["Location"]), None
    raise FhirInvalid("The EHR sends us from one address of a file to the next.")


def _successful(response: requests.Response) -> requests.Response:
    status = response.status_code
    if status == 200:
        return response
    with closing(response):
        if passes(response) or status == 500:
            error = FhirUnreachable(f"A file of the export was answered with {status}.", http_status=status)
            error.retry_after = seconds_in(response.headers.get("Retry-After", ""))
            raise error
        if status in _EXPIRED:
            raise Expired
    raise FhirInvalid(f"A file of the export was answered with {status}.", http_status=status)


def _require_ndjson(response: requests.Response) -> None:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in NDJSON | _UNSAID:
        raise FhirInvalid(f"A file of the export is {kind[:60]}, not NDJSON.")


def _copy(
    response: requests.Response, out: BinaryIO, found: Any, *, name: str
) -> Generator[Fetching, None, tuple[int, int]]:
    """Bytes and lines; on the disk when it returns."""
    size, lines, last = 0, 0, b"\n"
    for block in _blocks(response):
        _require_room(out, size)
        out.write(block)
        found.update(block)
        size, lines, last = size + len(block), lines + block.count(b"\n"), block[-1:]
        yield Fetching(words=f"{name}: {size / 1e6:.0f} MB")
    out.flush()
    os.fsync(out.fileno())
    return size, lines + (last != b"\n")


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """Inflated. A connection that ends too early, or a stream that is no gzip, is one more try."""
    try:
        yield from (block for block in response.iter_content(BLOCK) if block)
    except requests.RequestException as error:
        raise Cut("A file of the export broke off on its way.") from error


def _require_room(out: BinaryIO, size: int) -> None:
    if size > FILE_BYTES:
        raise FhirInvalid(f"A file of the export is larger than {FILE_BYTES / 1e9:g} GB.")
    if shutil.disk_usage(Path(out.name).parent).free < settings.BULK_FREE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _require_whole(file: ExportFile, part: Path, lines: int) -> None:
    if file.count is not None and lines < file.count:
        raise Cut(f"A file of the export has {lines} lines, and {file.count} were promised.")
    with part.open("rb") as stream:
        stream.seek(max(0, part.stat().st_size - 1))
        if stream.read(1) in {b"", b"\n"}:
            return
    if not _ends_well(part):
        raise Cut("A file of the export ends in the middle of a line.")


def _ends_well(part: Path) -> bool:
    """A last line without its newline is whole if it is JSON."""
    last = b""
    with part.open("rb") as stream:
        for last in stream:  # noqa: B007 -- only the last one counts
            pass
    try:
        msgspec.json.decode(last)
    except UNREADABLE:
        return False
    return True


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

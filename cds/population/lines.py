"""The lines of an NDJSON file that may matter, each with its number: DuckDB reads and filters them.

What DuckDB refuses to read (another encoding, a line without end, a broken archive) is read on here, line by line, so that
a file is never given up for one line. Which lines matter is said by the service's needs: the type, and of Observations
the code. The filter looks at the text and lets too much through rather than too little; the fold decides.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import duckdb

from cds.fhir.versions import names_of
from cds.needs import Need

ENDINGS = (".ndjson", ".ndjson.gz")
LONGEST = 4_000_000  # bytes of a line; what we read of a resource fits many times
THREADS, MEMORY = 2, "256MB"
AT_ONCE = 2048  # lines; DuckDB's vector
NOT_UTF8 = "not UTF-8"
TOO_LONG = "longer than 4 MB"
BROKEN = "the file breaks off here"
_UTF8_BOM, _UTF16_BOMS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_PATTERN = set("*?[")  # DuckDB would take such a name for that of several files
# Strict, so that whatever is not one plain line of UTF-8 after another is refused and not guessed at. A line that does not
# look like an object passes, for whoever reads it to say what is wrong; so does one with an escape, which may hide a code.
_SQL = """
    SELECT number, encode(line) FROM (
        SELECT row_number() OVER () AS number, line
        FROM read_csv([$file, $end], columns = {'line': 'VARCHAR'}, auto_detect = false, header = false, strict_mode = true,
            delim = '\x01', quote = '', escape = '', new_line = '\\n', max_line_size = $longest, buffer_size = $buffer)
    )
    WHERE regexp_matches(line, $types) OR regexp_matches(line, $codes)
        OR contains(line, '\\u') OR NOT starts_with(line, '{') OR NOT ends_with(line, '}')
"""


class Line(NamedTuple):
    """`flaw`: why there is nothing to read in it."""

    number: int
    raw: bytes
    flaw: str = ""


class Wanted(NamedTuple):
    """What the text of a line that may matter has in it: one of two regular expressions, for RE2 and Python alike.

    Each begins with a literal, which makes them several times as fast.
    """

    types: str
    codes: str

    @classmethod
    def of(cls, needs: Iterable[Need]) -> Wanted:
        """A type of which some need asks without a code is wanted whole."""
        asked = [(need.resource, {code.code for code in need.all_codes}) for need in needs]
        whole = {name for resource, codes in asked if not codes for name in names_of(resource)}
        return cls(_member("resourceType", whole), _member("code", set[str]().union(*(codes for _, codes in asked))))

    def matches(self, line: bytes) -> bool:
        return any(re.search(pattern.encode(), line) for pattern in self) or rb"\u" in line


def _member(name: str, values: set[str]) -> str:
    return rf'"{name}"\s*:\s*"(?:{"|".join(sorted(map(re.escape, values)))})"'


class Lines:
    """Of one file those that may matter. `count`: how many lines it has, once all of it is read.

    `folder`: where the mark may lie by which the end of the file is known.
    """

    def __init__(self, file: Path, wanted: Wanted, *, folder: Path) -> None:
        self.file, self.wanted, self.folder = file, wanted, folder
        self.count = 0

    def __iter__(self) -> Iterator[Line]:
        self.count = 0
        if set(str(self.file)) & _PATTERN:
            yield from self.here(after=0)
            return
        mark = uuid4().hex
        end = self.folder / "end"
        end.write_text(mark)
        try:
            yield from self.by_duckdb(end, mark)
        except duckdb.Error:
            yield from self.here(after=self.count)

    def by_duckdb(self, end: Path, mark: str) -> Iterator[Line]:
        """Up to the mark, which is read as one more line after the last."""
        with connect() as reader:
            limits = {"longest": LONGEST, "buffer": 4 * LONGEST}
            found = reader.execute(_SQL, {"file": str(self.file), "end": str(end), **limits, **self.wanted._asdict()})
            while rows := found.fetchmany(AT_ONCE):
                for number, raw in rows:
                    if raw == mark.encode():
                        yield from self._last(number - 1)
                        return
                    self.count = number
                    yield Line(number, raw)

    def _last(self, count: int) -> Iterator[Line]:
        """Where the last line has no end, it may have been cut off just where it looks whole."""
        seen, self.count = self.count, count
        if seen < count and self.file.suffix != ".gz" and (raw := _unfinished(self.file)):
            yield Line(count, raw)

    def here(self, *, after: int) -> Iterator[Line]:
        """From the line after that one on."""
        try:
            for number, raw in enumerate(_cut(self.file), start=1):
                self.count = number
                if number > after and (line := self._line(number, raw)) is not None:
                    yield line
        except (EOFError, OSError, zlib.error):
            self.count += 1
            yield Line(self.count, b"", BROKEN)

    def _line(self, number: int, raw: bytes) -> Line | None:
        if len(raw) > LONGEST:
            return Line(number, b"", TOO_LONG)
        try:
            raw.decode()
        except UnicodeDecodeError:
            return Line(number, b"", NOT_UTF8)
        raw = raw.removeprefix(_UTF8_BOM).strip()
        odd = raw and not (raw.startswith(b"{") and raw.endswith(b"}"))
        return Line(number, raw) if odd or self.wanted.matches(raw) else None


def connect() -> duckdb.DuckDBPyConnection:
    """Two threads and bounded memory, whatever the machine has: others work on it, too."""
    limits: dict[str, str | bool | int | float | list[str]] = {
        "threads": THREADS,
        "memory_limit": MEMORY,
        "autoinstall_known_extensions": False,
    }
    found = duckdb.connect(":memory:", config=limits)
    found.execute("SET enable_progress_bar = false")  # it would draw into our output
    return found


def _unfinished(file: Path) -> bytes:
    """The last line, if nothing ends it."""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - LONGEST))
        return stream.read().rpartition(b"\n")[2].strip()


def _cut(file: Path) -> Iterator[bytes]:
    """Line by line as UTF-8; of one that is too long only the beginning."""
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
        utf16 = stream.read(2) in _UTF16_BOMS
        stream.seek(0)
        text = io.TextIOWrapper(stream, "utf-16", errors="replace", newline="\n") if utf16 else stream
        while line := text.readline(LONGEST + 1):
            rest = line
            while len(rest) > LONGEST and rest[-1:] not in {"\n", b"\n"}:
                rest = text.readline(LONGEST + 1)
            yield line.encode() if isinstance(line, str) else line

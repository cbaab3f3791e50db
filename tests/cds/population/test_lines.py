"""Of a file of NDJSON nothing is lost without a word: DuckDB reads what is plain, we read on where it stops."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cds.fhir.files import head_of
from cds.population.lines import BROKEN, LONGEST, NOT_UTF8, TOO_LONG, Line, Lines, Wanted
from cds.services.diabetes.service import DiabetesRisk

WANTED = Wanted.of(DiabetesRisk.needs)
HBA1C = b'{"resourceType":"Observation","id":"1","code":{"coding":[{"system":"http://loinc.org","code":"4548-4"}]}}'
PAIN = HBA1C.replace(b"4548-4", b"72514-3")
PATIENT = b'{ "resourceType" : "Patient", "id" : "ada" }'


def read(folder: Path, content: bytes, name: str = "a.ndjson") -> Lines:
    folder.joinpath(name).write_bytes(content)
    return Lines(folder / name, WANTED, folder=folder)


def flaws(lines: Lines) -> list[tuple[int, str]]:
    return [(line.number, line.flaw) for line in lines if line.flaw]


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz"])
def test_what_the_service_asks_for_is_found_with_its_number(tmp_path: Path, name: str) -> None:
    content = b"\n".join([PAIN, HBA1C, b"", PAIN, PATIENT, PAIN, b""])
    lines = read(tmp_path, gzip.compress(content) if name.endswith(".gz") else content, name)
    assert list(lines) == [Line(2, HBA1C), Line(5, PATIENT)]
    assert lines.count == 6


def test_a_plain_file_is_read_by_duckdb_alone_and_we_would_read_the_same(tmp_path: Path) -> None:
    lines = read(tmp_path, b"\n".join([PAIN, HBA1C, PATIENT, b'{"cut', PAIN]) + b"\n")
    (tmp_path / "end").write_text("mark")
    fast = list(lines.by_duckdb(tmp_path / "end", "mark"))
    assert [line.number for line in fast] == [2, 3, 4]
    assert fast == list(lines.here(after=0))


def test_a_code_that_is_written_with_an_escape_is_not_overlooked(tmp_path: Path) -> None:
    escaped = HBA1C.replace(b"4548-4", rb"4548\u002d4")
    assert [line.raw for line in read(tmp_path, escaped + b"\n")] == [escaped]


@pytest.mark.parametrize("line", [PAIN[:-30], b"null", b"<html>"])
def test_a_line_that_is_no_object_is_handed_on_for_the_reason(tmp_path: Path, line: bytes) -> None:
    assert [found.raw for found in read(tmp_path, PAIN + b"\n" + line + b"\n" + PAIN)] == [line, PAIN]


def test_a_last_line_without_an_end_is_always_looked_at(tmp_path: Path) -> None:
    whole_looking = b'{"resourceType":"Observation","id":"1","code":{}'
    assert [line.number for line in read(tmp_path, PAIN + b"\n" + whole_looking)] == [2]


def test_windows_line_ends_and_a_bom_are_no_flaw(tmp_path: Path) -> None:
    lines = read(tmp_path, b"\xef\xbb\xbf" + PATIENT + b"\r\n" + HBA1C + b"\r\n")
    assert list(lines) == [Line(1, PATIENT), Line(2, HBA1C)]


def test_utf_16_is_read_by_its_mark(tmp_path: Path) -> None:
    text = (PATIENT + b"\n" + PAIN + b"\n" + HBA1C + b"\n").decode()
    assert [line.raw for line in read(tmp_path, text.encode("utf-16"))] == [PATIENT, HBA1C]


def test_a_line_of_latin_1_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    latin = '{"resourceType":"Patient","id":"b","name":[{"family":"Müller"}]}'.encode("latin-1")
    lines = read(tmp_path, b"\n".join([PATIENT, latin, HBA1C]) + b"\n")
    assert flaws(lines) == [(2, NOT_UTF8)]
    assert [line.raw for line in lines if not line.flaw] == [PATIENT, HBA1C]


def test_a_line_of_20_mb_is_named_and_never_held(tmp_path: Path) -> None:
    long = b'{"resourceType":"Patient","id":"x","photo":"' + b"x" * 20_000_000 + b'"}'
    lines = read(tmp_path, b"\n".join([PATIENT, long, HBA1C]) + b"\n")
    assert flaws(lines) == [(2, TOO_LONG)]
    assert [line.raw for line in lines if not line.flaw] == [PATIENT, HBA1C]
    assert len(long) > LONGEST


def test_an_archive_that_breaks_off_is_read_up_to_there(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(HBA1C.replace(b'"1"', b'"%d"' % n) + b"\n" for n in range(50_000)))
    lines = read(tmp_path, whole[: len(whole) // 2], "a.ndjson.gz")
    *found, last = lines
    assert last == Line(lines.count, b"", BROKEN)
    assert [head_of(line.raw).id for line in found[:-1]] == [str(n) for n in range(len(found) - 1)]
    assert len(found) > 10_000


def test_what_is_no_archive_at_all_is_said_to_break_off_at_once(tmp_path: Path) -> None:
    assert flaws(read(tmp_path, b"not gzip", "a.ndjson.gz")) == [(1, BROKEN)]


def test_a_name_with_a_star_is_that_of_one_file(tmp_path: Path) -> None:
    read(tmp_path, HBA1C + b"\n", "ab.ndjson")
    assert list(read(tmp_path, PATIENT + b"\n", "a*.ndjson")) == [Line(1, PATIENT)]

"""The table of docs/conformance.md and the tests keep in step: each row names tests that exist, or says why not."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest
from msgspec import Struct

ROOT = Path(__file__).resolve().parent.parent
_TEST = re.compile(r"`([\w/.]+\.py)::(test_\w+)`")
_WHY_NOT = re.compile(r"Why not: \S.{10,}")


class Row(Struct, frozen=True):
    """One sentence of a specification."""

    number: str
    level: str
    sentence: str
    section: str
    proof: str


def _rows() -> list[Row]:
    lines = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8").splitlines()
    found = [line.strip().strip("|").split(" | ") for line in lines if re.match(r"\| [A-Z]\d", line)]
    return [Row(*(cell.strip() for cell in cells)) for cells in found]


ROWS = _rows()


@lru_cache(maxsize=100)
def _tests_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_specification_is_there_and_numbered_without_a_gap() -> None:
    """H: CDS Hooks, S: SMART, D: DICOM, and whatever else has a letter by now."""
    for letter in {"H", "S", "D"} | {row.number[0] for row in ROWS}:
        numbers = [row.number for row in ROWS if row.number.startswith(letter)]
        assert len(numbers) >= 10
        assert numbers == [f"{letter}{place}" for place in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_each_row_is_shown_by_tests_that_exist_or_says_why_not(row: Row) -> None:
    assert row.level in {"SHALL", "SHOULD"}
    assert row.sentence
    assert row.section
    named = _TEST.findall(row.proof)
    assert named or _WHY_NOT.match(row.proof), f"{row.number} has neither a test nor a reason"
    assert row.proof.count("::") == len(named), f"{row.number} names a test in a way that is not understood"
    for path, name in named:
        assert (ROOT / path).is_file(), f"{row.number}: there is no {path}"
        assert name in _tests_in(path), f"{row.number}: there is no {name} in {path}"


def test_a_test_that_does_not_exist_would_be_noticed() -> None:
    assert "test_that_is_not_there" not in _tests_in("tests/test_conformance_docs.py")
    assert "test_a_test_that_does_not_exist_would_be_noticed" in _tests_in("tests/test_conformance_docs.py")

"""One line of each resource counts: the last that was changed, else the last that was read."""

from __future__ import annotations

import pytest

from cds.fhir.newest import changed_at, newest

Line = tuple[str | None, str, str]


def kept(*lines: Line) -> list[str]:
    """What is left, of lines with an id, a time and a text."""
    return [text for _, _, text in newest(lines, same=lambda one: one[0], age=lambda one: changed_at(one[1]))]


def test_the_last_change_counts_wherever_it_stands() -> None:
    new, old = ("a", "2026-05-02T00:00:00Z", "new"), ("a", "2026-05-01T18:59:00-05:00", "old")
    assert kept(new, old) == kept(old, new) == ["new"]


@pytest.mark.parametrize("when", ["", "yesterday", "2026-05-01T00:00:00Z"])
def test_where_the_times_do_not_decide_the_last_line_counts(when: str) -> None:
    assert kept(("a", when, "first"), ("b", when, "other"), ("a", when, "last")) == ["last", "other"]


def test_what_says_no_time_is_older_than_what_does() -> None:
    assert kept(("a", "2026-05-01T00:00:00Z", "said"), ("a", "", "unsaid")) == ["said"]


def test_what_has_no_id_is_never_taken_for_another() -> None:
    assert kept((None, "", "one"), (None, "", "two")) == ["one", "two"]

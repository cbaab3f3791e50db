"""An interrupted run goes on from its last whole step."""

from __future__ import annotations

from pathlib import Path

from scoring.journal import Journal


def test_a_finished_step_is_not_done_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run.jsonl"
    first = Journal(path).once({"eta": 0.1}, lambda: {"loss": 0.1 + 0.2})
    again = Journal(path).once({"eta": 0.1}, lambda: {"loss": "done again"})
    assert again == first == {"loss": 0.1 + 0.2}


def test_a_line_cut_short_by_a_kill_counts_for_nothing_and_harms_no_other(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    Journal(path).once({"step": 1}, lambda: "one")
    path.write_bytes(path.read_bytes() + b'["{\\"step\\": 2}", "tw')
    journal = Journal(path)
    assert journal.finished == 1
    assert journal.once({"step": 2}, lambda: "two") == "two"
    assert [Journal(path).once({"step": number}, lambda: "again") for number in (1, 2)] == ["one", "two"]


def test_without_a_path_nothing_is_kept() -> None:
    journal = Journal()
    assert journal.once({"step": 1}, lambda: 1) == journal.once({"step": 1}, lambda: 2) == 1

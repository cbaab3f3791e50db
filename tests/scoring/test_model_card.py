"""The card holds the words, every pattern, and the verdict, whichever way it fell."""

from __future__ import annotations

from typing import Any

from scoring.model_card import render
from scoring.training import Trained


def test_the_card_has_a_line_for_every_pattern(trained: Trained) -> None:
    lines = trained.card.splitlines()
    for name in ("(none)", "blood", "tape", "blood+tape"):
        assert any(line.startswith(f"| {name} | ") for line in lines)


def test_the_card_says_how_to_make_the_same_bytes_again(trained: Trained) -> None:
    assert "manage.py train made-up --source made-up --data PATH --seed 1" in trained.card
    assert trained.facts["sha256"] in trained.card


def test_the_words_of_people_stand_in_the_card(trained: Trained) -> None:
    assert "Is this person ill?" in trained.card


def test_the_card_says_so_where_the_model_does_not_beat_the_rival(trained: Trained) -> None:
    assert "all: better" in trained.card
    part: dict[str, Any] = {**trained.facts["versus_sugar_alone"]["all"], "beats": False}
    worse = render({**trained.facts, "versus_sugar_alone": {"all": part}}, words={})
    assert "all: not better" in worse


def test_the_card_marks_patterns_where_the_model_abstains(trained: Trained) -> None:
    assert "**abstains**" not in trained.card
    silent = {name: {**part, "abstain": name == "tape"} for name, part in trained.facts["patterns"].items()}
    marked = [line for line in render({**trained.facts, "patterns": silent}, words={}).splitlines() if "**abst" in line]
    assert len(marked) == 1
    assert marked[0].startswith("| tape | ")


def test_the_card_warns_where_rows_should_have_been_prepared_and_are_not(trained: Trained) -> None:
    found = trained.facts["comparisons"]
    chosen = {**found, "preparation": {**found["preparation"], "taken": "keep+mice"}}
    warning = "do not ship it before that is settled"
    assert warning in render({**trained.facts, "comparisons": chosen}, words={})
    chosen["preparation"]["taken"] = "keep+native"
    assert warning not in render({**trained.facts, "comparisons": chosen}, words={})

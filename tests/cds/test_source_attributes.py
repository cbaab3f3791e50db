"""The 31 source attributes: each has a text, or says why it has none."""

from __future__ import annotations

from typing import Any

import pytest

from cds import registry
from cds.source_attributes import ATTRIBUTES, CHAPTERS, answers
from scoring.shipped import shipped_model

SERVICE = registry.get("diabetes-risk")


@pytest.fixture
def facts() -> dict[str, Any]:
    return dict(shipped_model("diabetes-risk").facts)


def said(facts: dict[str, Any], *, shipped: bool = True) -> dict[str, tuple[str, str]]:
    found = answers(facts, words=SERVICE.source_attributes, shipped=shipped)
    return {answer.attribute.key: (answer.text, answer.why_not) for answer in found}


def test_there_are_31_in_nine_chapters() -> None:
    """45 CFR 170.315(b)(11)(iv)(B)(1) to (9)."""
    assert [len(chapter.attributes) for chapter in CHAPTERS] == [4, 4, 2, 4, 2, 4, 5, 4, 2]
    assert len({attribute.key for attribute in ATTRIBUTES}) == 31
    assert (ATTRIBUTES[0].paragraph, ATTRIBUTES[24].paragraph) == ("(1)(i)", "(7)(v)")


@pytest.mark.parametrize("shipped", [True, False])
def test_each_has_a_text_or_says_why_not(facts: dict[str, Any], shipped: bool) -> None:
    for text, why_not in said(facts, shipped=shipped).values():
        assert bool(text) != bool(why_not)


def test_figures_come_from_the_facts(facts: dict[str, Any]) -> None:
    area = facts["performance"]["unweighted"]["auroc"]["value"]
    assert f"AUROC: {area:.3f}" in said(facts)["validity_internal"][0]
    lowest = min(group["auroc"]["value"] for group in facts["by_group"]["age"].values() if "auroc" in group)
    assert f"AUROC from {lowest:.2f}" in said(facts)["fairness_internal"][0]
    assert f"{facts['trained_on']['n']} people" in said(facts)["representativeness"][0]


def test_what_nobody_measured_is_not_claimed(facts: dict[str, Any]) -> None:
    found = said({key: value for key, value in facts.items() if key not in {"performance", "by_group"}})
    for key in ("validity_internal", "fairness_internal", "representativeness", "validity_external"):
        assert found[key][0] == ""


def test_words_about_how_a_version_was_made_are_not_said_of_another(facts: dict[str, Any]) -> None:
    found = said(facts, shipped=False)
    assert found["intended_use"][0] == SERVICE.source_attributes["intended_use"]
    assert found["training_criteria"] == (
        "",
        "the service's words are about the version that came with the code, not this one",
    )


def test_without_any_words_most_are_not_available(facts: dict[str, Any]) -> None:
    found = answers(facts, words={}, shipped=True)
    assert [answer.attribute.key for answer in found if answer.text] == [
        *("representativeness", "validity_internal", "fairness_internal"),
        *("validity_monitoring", "update_process", "correction_process"),
    ]

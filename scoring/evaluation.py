"""A model held against people of whom its training knew nothing: later years, another source, another hospital."""

from __future__ import annotations

from typing import Any

import numpy as np

from scoring.chapters import FIGURES, written
from scoring.cohorts import Cohort
from scoring.recipes import Recipe
from scoring.shelf import Model
from scoring.splits import unseen
from scoring.tables import Facts, interval, number, periods, share, table
from scoring.training import medians, rounded
from scoring.validation import validate

TARGET = 0.85  # of the lower bound of AUROC; this project's own
ENOUGH_CASES = 100  # for an external validation: Collins, Ogundimu & Altman, Stat Med 2016;35:214
MOSTLY = 0.5


def evaluate(recipe: Recipe, model: Model, cohort: Cohort, *, source: str, seed: int) -> dict[str, Any]:
    """Facts as JSON holds them. People whom the model was trained on are left out and counted."""
    people = unseen(cohort.checked(model.features), model.facts).checked(model.features)
    threshold = model.facts["threshold"]
    found = rounded(
        {
            **{name: model.facts[name] for name in ("name", "version", "label", "sha256", "trained_on")},
            "trained_on_source": model.facts["source"],
            "trusted_observed_expected": list(recipe.trusted),
            "once_more": people.sha256 == model.facts["source_sha256"],
            "validated_before": model.facts["performance"]["unweighted"]["auroc"],
            "source": people.source,
            "source_name": source,
            "source_sha256": people.sha256,
            "left_out": len(cohort) - len(people),
            "seed": seed,
            "threshold": threshold,
            "inputs": _inputs(model, people),
            **validate(recipe, model, people, threshold=threshold, seed=seed),
        }
    )
    return {**found, "plainly": plainly(found)}


def _inputs(model: Model, people: Cohort) -> dict[str, Any]:
    """Of each feature: the share missing and the median here, and the median of those trained on."""
    missing = np.isnan(people.rows).mean(axis=0).tolist()
    return {
        name: {"missing": gone, "median": median, "median_trained_on": model.facts["medians"][name]}
        for (name, median), gone in zip(medians(people).items(), missing, strict=True)
    }


# --- In words ----------------------------------------------------------------------------------------------------
def plainly(facts: Facts) -> list[str]:
    """What a reader must not miss, worst news included."""
    return [sentence for say in (_who, _ranking, _target, _level, _cases, _gaps) if (sentence := say(facts))]


def _who(facts: Facts) -> str:
    here, before = facts["source"], facts["trained_on_source"]
    if here != before:
        return f"External validation: trained on {before}, measured on {here}."
    years = periods(facts["validated_on"])
    return (
        f"Temporal validation: trained on {periods(facts['trained_on'])}, measured on {years}."
        if years
        else "Measured on people of the same source whom training never saw."
    )


def _ranking(facts: Facts) -> str:
    now, before = facts["performance"]["unweighted"]["auroc"], facts["validated_before"]
    if facts["once_more"]:
        return (
            f"These are the people on whom the model card measured it, once more: AUROC {interval(now, 3)}. That repeats"
            " its figures and is no second validation."
        )
    both = f"AUROC {interval(now, 3)} here, {interval(before, 3)} where it was validated"
    if now["high"] < before["low"]:
        return f"This population is harder for the model: {both}. Figures from there do not hold here."
    if now["low"] > before["high"]:
        return f"The model ranks these people better than those it was validated on: {both}."
    return f"The model ranks these people about as well as those it was validated on: {both}."


def _target(facts: Facts) -> str:
    low = facts["performance"]["unweighted"]["auroc"]["low"]
    verdict = "is met" if low >= TARGET else "is NOT met"
    return f"The target, a lower bound of AUROC of at least {TARGET}, {verdict}: it is {low:.3f}."


def _level(facts: Facts) -> str:
    ratio, (low, high) = facts["performance"]["unweighted"]["observed_expected"], facts["trusted_observed_expected"]
    if low <= ratio["value"] <= high:
        return (
            f"The level of the probabilities is right to within the range trusted: observed/expected {interval(ratio)}."
        )
    fault = "too little" if ratio["value"] > high else "too much"
    return f"The probabilities say {fault} here: observed/expected {interval(ratio)}. Recalibrate before any use."


def _cases(facts: Facts) -> str:
    cases = facts["performance"]["unweighted"]["events"]
    if cases >= ENOUGH_CASES:
        return ""
    return f"Only {cases} cases: fewer than the {ENOUGH_CASES} that a validation should have. Read the intervals first."


def _gaps(facts: Facts) -> str:
    gone = [name for name, column in facts["inputs"].items() if column["missing"] > MOSTLY]
    return f"Missing for most people here: {', '.join(gone)}." if gone else ""


# --- As a report -------------------------------------------------------------------------------------------------
def render(facts: Facts) -> str:
    """Markdown."""
    opening = f"# {facts['name']} {facts['version']} on {facts['source']}"
    left_out = f" {facts['left_out']} rows of people whom training saw are left out." if facts["left_out"] else ""
    label = f"Predicts: {facts['label']}.{left_out} Square brackets hold 95 % intervals throughout."
    chapters = written(facts, {**FIGURES, "What the inputs look like here": _inputs_as_table})
    news = "\n".join(f"- {sentence}" for sentence in facts["plainly"])
    return "\n\n".join([opening, label, f"## Plainly\n\n{news}", *chapters, _about(facts)]) + "\n"


def _inputs_as_table(facts: Facts) -> str:
    rows = [
        (name, share(column["missing"], 1), number(column["median"], 1), number(column["median_trained_on"], 1))
        for name, column in facts["inputs"].items()
    ]
    return table(("feature", "missing here", "median here", "median of those trained on"), rows)


def _about(facts: Facts) -> str:
    return (
        f"Model sha256 `{facts['sha256']}`; data sha256 `{facts['source_sha256']}`; seed {facts['seed']}. The same"
        " command gives the same figures."
    )

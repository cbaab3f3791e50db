"""An evaluation measures strangers only, and says the worst news first in words."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from xgboost import Booster

from scoring import evaluation
from scoring.cohorts import Cohort
from scoring.errors import CohortUnusable
from scoring.recipes import Recipe
from scoring.shelf import Model
from scoring.training import Trained


@pytest.fixture(scope="module")
def model(trained: Trained) -> Model:
    booster = Booster()
    booster.load_model(bytearray(trained.artefact))
    facts = trained.facts
    return Model(
        name=facts["name"],
        version=facts["version"],
        sha256=facts["sha256"],
        features=tuple(facts["features"]),
        facts=facts,
        booster=booster,
    )


def test_people_whom_training_saw_are_left_out_and_the_figures_are_those_of_the_card(
    recipe: Recipe, model: Model, cohort: Cohort, trained: Trained
) -> None:
    found = evaluation.evaluate(recipe, model, cohort, source="made-up", seed=1)
    assert found["left_out"] == trained.facts["trained_on"]["n"]
    assert found["performance"] == trained.facts["performance"]
    assert found["plainly"][0] == "Temporal validation: trained on 1999-2002, measured on 2003-2004."
    assert "is no second validation" in found["plainly"][1]


def test_other_people_of_later_years_are_a_validation_of_their_own(
    recipe: Recipe, model: Model, cohort: Cohort
) -> None:
    found = evaluation.evaluate(recipe, model, replace(cohort, sha256="1" * 64), source="made-up", seed=1)
    assert found["plainly"][1].startswith("The model ranks these people about as well as those it was validated on")


def test_without_a_stranger_there_is_nothing_to_measure(recipe: Recipe, model: Model, cohort: Cohort) -> None:
    early, _ = cohort.split(recipe.train_until)
    with pytest.raises(CohortUnusable, match=r"made-up-risk 1\.0\.0 was trained on everybody here"):
        evaluation.evaluate(recipe, model, early, source="made-up", seed=1)


def test_another_source_is_measured_whole_and_called_external(recipe: Recipe, model: Model, cohort: Cohort) -> None:
    abroad = replace(cohort, source="abroad", sha256="1" * 64)
    found = evaluation.evaluate(recipe, model, abroad, source="abroad", seed=1)
    assert (found["left_out"], found["validated_on"]["n"]) == (0, 1200)
    assert found["plainly"][0] == "External validation: trained on made up, measured on abroad."


def test_a_harder_population_is_called_harder(recipe: Recipe, model: Model, cohort: Cohort) -> None:
    draw = np.random.default_rng(4)
    noisy = replace(
        cohort,
        source="abroad",
        sha256="1" * 64,
        label=np.where(draw.random(1200) < 0.6, draw.random(1200) < 0.4, cohort.label),
    )
    said = " ".join(evaluation.evaluate(recipe, model, noisy, source="abroad", seed=1)["plainly"])
    assert "This population is harder for the model" in said
    assert "is NOT met" in said


def test_probabilities_that_say_too_much_here_are_to_be_recalibrated(
    recipe: Recipe, model: Model, cohort: Cohort
) -> None:
    rare = replace(cohort, source="abroad", label=cohort.label & (np.arange(1200) % 4 == 0))
    said = " ".join(evaluation.evaluate(recipe, model, rare, source="abroad", seed=1)["plainly"])
    assert "The probabilities say too much here" in said
    assert "Recalibrate before any use" in said


def test_a_column_that_the_model_needs_is_named_where_it_is_not_there(
    recipe: Recipe, model: Model, cohort: Cohort
) -> None:
    with pytest.raises(CohortUnusable, match="no column for noise"):
        evaluation.evaluate(recipe, model, cohort.checked(("sugar", "girth")), source="made-up", seed=1)


def test_a_column_that_nobody_has_here_is_said_and_its_patterns_are_unknown(
    recipe: Recipe, model: Model, cohort: Cohort
) -> None:
    rows = cohort.rows.copy()
    rows[:, :1] = np.nan
    sparse = replace(cohort, source="abroad", rows=rows, sparse=True)
    found = evaluation.evaluate(recipe, model, sparse, source="abroad", seed=1)
    assert "Missing for most people here: sugar." in found["plainly"]
    assert found["inputs"]["sugar"]["median"] is None
    assert found["patterns"]["blood"] == {
        **dict.fromkeys(found["patterns"]["blood"]),
        "n": 0,
        "events": 0,
        "abstain": True,
    }
    assert "| blood | none |" in evaluation.render(found)


def test_the_order_of_columns_does_not_matter(recipe: Recipe, model: Model, cohort: Cohort) -> None:
    turned = cohort.checked(("noise", "girth", "sugar"))
    found = [evaluation.evaluate(recipe, model, one, source="made-up", seed=1) for one in (cohort, turned)]
    assert found[0] == found[1]


def test_the_report_holds_what_was_said_and_survives_as_json(recipe: Recipe, model: Model, cohort: Cohort) -> None:
    found = evaluation.evaluate(recipe, model, cohort, source="made-up", seed=1)
    report = evaluation.render(found)
    assert all(f"- {sentence}" in report for sentence in found["plainly"])
    assert "## What the inputs look like here" in report
    assert evaluation.render(json.loads(json.dumps(found))) == report

"""Who is trained on, and what the shipped model does on real people of later years."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from django.conf import settings

from cds.services.diabetes.tests.test_training import PERSON
from cds.services.hypertension import rules
from cds.services.hypertension.features import FEATURES, KEYS
from cds.services.hypertension.training import HYPERTENSION, untold
from scoring import boosting, evaluate, shelf
from scoring.cohorts import Cohort
from scoring.errors import CohortUnusable
from scoring.model_card import render

SURVEY = settings.BASE_DIR.parent / "shared" / "data" / "nhanes"
real_survey = pytest.mark.skipif(not SURVEY.exists(), reason="the NHANES table is not beside the checkout")

FACTS = json.loads((HYPERTENSION.folder / "model" / "hypertension-risk.json").read_text(encoding="utf-8"))
UNTOLD = {**PERSON, "hypertension_told": 0.0}


def cohort_of(folder: Path, *changes: Mapping[str, object]) -> Cohort:
    path = folder / "nhanes_adults_few.parquet"
    people = [{**UNTOLD, "seqn": number, **change} for number, change in enumerate(changes)]
    pd.DataFrame(people).to_parquet(path)
    return untold(path)


def test_people_who_were_told_or_not_measured_are_left_out(tmp_path: Path) -> None:
    out: list[dict[str, object]] = [
        {"hypertension_told": 1.0},
        {"hypertension_told": np.nan},
        {"sbp_mmhg": np.nan},
        {"dbp_mmhg": np.nan},
        {"dbp_mmhg": 5.0},
        {"sbp_mmhg": 60.0, "dbp_mmhg": 70.0},
        {"age_years": 17},
    ]
    assert len(cohort_of(tmp_path, *out, {}, {"age_years": 18}, {"diabetes_told": 1.0})) == 3


def test_the_label_starts_at_140_or_90(tmp_path: Path) -> None:
    numbers = [(139.9, 89.9), (140.0, 60.0), (120.0, 90.0)]
    people = [{"sbp_mmhg": systolic, "dbp_mmhg": diastolic} for systolic, diastolic in numbers]
    assert cohort_of(tmp_path, *people).label.tolist() == [False, True, True]


def test_a_table_without_the_question_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "nhanes_adults_few.parquet"
    pd.DataFrame([PERSON | {"seqn": 1}]).to_parquet(path)
    with pytest.raises(CohortUnusable, match="hypertension_told"):
        untold(path)


def test_the_pressure_itself_ethnicity_and_drugs_are_no_features() -> None:
    assert tuple(FACTS["features"]) == KEYS
    assert not {"systolic", "diastolic", "ethnicity", "hypertension_told"} & set(KEYS)


def test_the_model_card_is_the_one_that_belongs_to_the_shipped_model() -> None:
    card = (HYPERTENSION.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card == render(FACTS, words=HYPERTENSION.words)


def test_every_pattern_of_missing_data_was_measured() -> None:
    assert len(FACTS["patterns"]) == 16
    assert {FEATURES.pattern([np.nan] * len(KEYS)), "body+glucose+lipids+waist"} <= set(FACTS["patterns"])


def test_the_model_abstains_exactly_where_calibration_leaves_the_range() -> None:
    for figures in FACTS["patterns"].values():
        ratios = (figures["observed_expected"], figures["observed_expected_weighted"])
        assert figures["abstain"] is not all(0.8 <= ratio <= 1.25 for ratio in ratios)


def test_peers_cover_every_adult_age_without_gap() -> None:
    for sex in ("male", "female"):
        bands = [(band["age_low"], band["age_high"]) for band in FACTS["peers"] if band["sex"] == sex]
        assert (bands[0][0], bands[-1][1]) == (18, 120)
        assert all(high + 1 == low for (_, high), (low, _) in pairwise(bands))


def test_the_threshold_of_the_service_is_the_one_that_training_set() -> None:
    assert FACTS["threshold"] == rules.THRESHOLD


def test_the_search_won_by_the_smallest_loss_and_its_settings_are_the_recorded_ones() -> None:
    best = min(FACTS["search"]["trials"], key=lambda trial: trial["loss"])
    assert {**best["params"], "rounds": best["rounds"], "monotone": dict(HYPERTENSION.monotone)} == FACTS["params"]


@real_survey
@pytest.mark.django_db
def test_the_recorded_figures_are_those_of_the_shipped_artefact() -> None:
    later = untold(SURVEY).split(HYPERTENSION.train_until)[1]
    probability = np.array([score.probability for score in shelf.active("hypertension-risk").score_many(later.rows)])
    once = np.ones(len(later))
    recorded = FACTS["performance"]["unweighted"]
    assert evaluate.auroc(later.label, probability)(once) == pytest.approx(recorded["auroc"]["value"], abs=1e-4)
    ratio = evaluate.observed_expected(later.label, probability)(once)
    assert ratio == pytest.approx(recorded["observed_expected"]["value"], abs=1e-4)
    assert FACTS["validated_on"] == later.summary()
    assert recorded["auroc"]["low"] >= 0.75  # ranks, if little better than age; below that it would be no help


@real_survey
def test_the_shipped_artefact_is_rebuilt_to_the_byte() -> None:
    early, _ = untold(SURVEY).split(HYPERTENSION.train_until)
    best = min(FACTS["search"]["trials"], key=lambda trial: trial["loss"])
    booster = boosting.grow(HYPERTENSION, early, best["params"], rounds=best["rounds"], seed=FACTS["seed"])
    assert shelf.sha256(bytes(booster.save_raw("ubj"))) == FACTS["sha256"]

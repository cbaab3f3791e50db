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

from cds.features import MALE
from cds.services.diabetes import rules
from cds.services.diabetes.features import FEATURES, KEYS
from cds.services.diabetes.training import DIABETES, undiagnosed
from scoring import boosting, evaluate, shelf
from scoring.cohorts import Cohort
from scoring.cohorts.nhanes import peers
from scoring.model_card import render

SURVEY = settings.BASE_DIR.parent / "shared" / "data" / "nhanes"
real_survey = pytest.mark.skipif(not SURVEY.exists(), reason="the NHANES table is not beside the checkout")

FACTS = json.loads((DIABETES.folder / "model" / "diabetes-risk.json").read_text(encoding="utf-8"))
PERSON = {
    "cycle": "1999-2000",
    "age_years": 50,
    "gender": "male",
    "ethnicity": "one",
    "bmi_kg_m2": 28.0,
    "waist_cm": 97.0,
    "sbp_mmhg": 125.0,
    "dbp_mmhg": 70.0,
    "total_chol_mg_dl": 195.0,
    "hdl_mg_dl": 52.0,
    "triglycerides_mg_dl": np.nan,
    "glucose_serum_mg_dl": 100.0,
    "fasting_hours": 9.0,
    "hba1c_pct": 5.5,
    "diabetes_told": 0.0,
    "takes_insulin": np.nan,
    "takes_oral_diabetes_med": np.nan,
    "weight_fasting_subsample": 40_000.0,
}


def cohort_of(folder: Path, *changes: Mapping[str, object]) -> Cohort:
    path = folder / "nhanes_adults_few.parquet"
    people = [{**PERSON, "seqn": number, **change} for number, change in enumerate(changes)]
    pd.DataFrame(people).to_parquet(path)
    return undiagnosed(path)


def test_people_with_a_diagnosis_or_drugs_or_without_hba1c_are_left_out(tmp_path: Path) -> None:
    out: list[dict[str, object]] = [
        {"diabetes_told": 1.0},
        {"diabetes_told": np.nan},
        {"takes_insulin": 1.0},
        {"diabetes_told": 2.0, "takes_oral_diabetes_med": 1.0},
        {"hba1c_pct": np.nan},
        {"age_years": 17},
    ]
    stay: list[dict[str, object]] = [
        {},
        {"diabetes_told": 2.0, "takes_oral_diabetes_med": 0.0},
        {"takes_insulin": 0.0},
        {"age_years": 18},
    ]
    assert len(cohort_of(tmp_path, *out, *stay)) == len(stay)


def test_the_label_starts_at_six_and_a_half_percent(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, {"hba1c_pct": 6.4}, {"hba1c_pct": 6.5}, {"hba1c_pct": 9.0})
    assert cohort.label.tolist() == [False, True, True]


def test_training_caps_age_and_drops_the_implausible_like_the_bedside(tmp_path: Path) -> None:
    rows = cohort_of(tmp_path, {"age_years": 85}, {"glucose_serum_mg_dl": 5.6}, {"gender": "female"}).rows
    assert rows[0, KEYS.index("age")] == 80
    assert np.isnan(rows[1, KEYS.index("glucose")])
    assert rows[:, KEYS.index("sex")].tolist() == [1.0, 1.0, 0.0]
    assert np.isnan(rows[:, KEYS.index("triglycerides")]).all()


def test_peers_are_counted_by_sex_and_age_with_weights(tmp_path: Path) -> None:
    well = {"weight_fasting_subsample": 10_000.0, "age_years": 45}
    ill = {"weight_fasting_subsample": 20_000.0, "age_years": 45, "hba1c_pct": 7.0, "ethnicity": "other"}
    few = {"gender": "female", "hba1c_pct": 7.0}
    found = peers(cohort_of(tmp_path, *[well] * 150, *[ill] * 150, *[few] * 199))["peers"]
    assert found == [{"sex": "male", "age_low": 40, "age_high": 49, "probability": pytest.approx(2 / 3), "n": 300}]


def test_the_model_card_is_the_one_that_belongs_to_the_shipped_model() -> None:
    card = (DIABETES.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card == render(FACTS, words=DIABETES.words)


def test_every_pattern_of_missing_data_was_measured() -> None:
    assert len(FACTS["patterns"]) == 32
    whole = [50.0, MALE, 28.0, 97.0, 125.0, 70.0, 195.0, 52.0, 130.0, 100.0]
    assert FEATURES.pattern(whole) in FACTS["patterns"]
    assert FEATURES.pattern([np.nan] * 10) in FACTS["patterns"]


def test_the_model_abstains_exactly_where_calibration_leaves_the_range() -> None:
    for figures in FACTS["patterns"].values():
        ratios = (figures["observed_expected"], figures["observed_expected_weighted"])
        assert figures["abstain"] is not all(0.8 <= ratio <= 1.25 for ratio in ratios)


def test_hba1c_treatment_and_ethnicity_are_no_features() -> None:
    assert tuple(FACTS["features"]) == KEYS
    assert not {"hba1c", "takes_insulin", "takes_tablets", "ethnicity"} & set(KEYS)


def test_peers_cover_every_adult_age_without_gap() -> None:
    for sex in ("male", "female"):
        bands = [(band["age_low"], band["age_high"]) for band in FACTS["peers"] if band["sex"] == sex]
        assert bands[0][0] == 18
        assert bands[-1][1] == 120
        assert all(high + 1 == low for (_, high), (low, _) in pairwise(bands))


@pytest.fixture(scope="module")
def later() -> Cohort:
    return undiagnosed(SURVEY).split(DIABETES.train_until)[1]


@real_survey
@pytest.mark.django_db
def test_the_shipped_model_finds_diabetes_in_later_years(later: Cohort) -> None:
    known = later.where(~np.isnan(later.rows[:, KEYS.index("glucose")]))
    probability = np.array([score.probability for score in shelf.active("diabetes-risk").score_many(known.rows)])
    area = evaluate.auroc(known.label, probability)
    once = np.ones(len(known))
    found = evaluate.bootstrap(lambda weight: {"auroc": area(weight)}, known.person, once, seed=2, count=300)
    assert (found["auroc"].low or 0) >= 0.85


@real_survey
@pytest.mark.django_db
def test_the_recorded_figures_are_those_of_the_shipped_artefact(later: Cohort) -> None:
    probability = np.array([score.probability for score in shelf.active("diabetes-risk").score_many(later.rows)])
    once = np.ones(len(later))
    recorded = FACTS["performance"]["unweighted"]
    assert evaluate.auroc(later.label, probability)(once) == pytest.approx(recorded["auroc"]["value"], abs=1e-4)
    ratio = evaluate.observed_expected(later.label, probability)(once)
    assert ratio == pytest.approx(recorded["observed_expected"]["value"], abs=1e-4)
    assert FACTS["validated_on"] == later.summary()


def test_the_threshold_of_the_service_is_the_one_that_training_set() -> None:
    assert FACTS["threshold"] == rules.THRESHOLD


def test_the_search_won_by_the_smallest_loss_and_its_settings_are_the_recorded_ones() -> None:
    best = min(FACTS["search"]["trials"], key=lambda trial: trial["loss"])
    assert {**best["params"], "rounds": best["rounds"], "monotone": dict(DIABETES.monotone)} == FACTS["params"]


@real_survey
def test_the_shipped_artefact_is_rebuilt_to_the_byte() -> None:
    early, _ = undiagnosed(SURVEY).split(DIABETES.train_until)
    params, rounds = FACTS["search"]["trials"][0]["params"], FACTS["params"]["rounds"]
    booster = boosting.grow(DIABETES, early, params, rounds=rounds, seed=FACTS["seed"])
    assert shelf.sha256(bytes(booster.save_raw("ubj"))) == FACTS["sha256"]

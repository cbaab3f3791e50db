"""The plots show what the lists say, and say it in words too."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, roc_curve

from scoring import curves, evaluate
from scoring.evaluate import Ranking
from scoring.figures import FIGURES, WIDTHS, Figure, drawable
from scoring.plots import THEMES, Theme, svg
from scoring.training import Trained

DRAW = np.random.default_rng(6)
CHANCE = DRAW.beta(0.6, 5, 3000)
LABEL = DRAW.random(3000) < CHANCE
TALLY = Ranking(LABEL, CHANCE).tally(np.ones(3000))
PERSON = np.arange(3000).astype(np.str_)


def test_the_roc_curve_lies_on_scikit_learns() -> None:
    ours = curves.roc(TALLY)
    false, true, _ = roc_curve(LABEL, CHANCE, drop_intermediate=False)
    best = [true[false <= rate + 1e-9].max() for rate in ours["false_positive_rate"]]
    assert ours["sensitivity"] == pytest.approx(best)


def test_the_tenths_are_scikit_learns_quantile_bins() -> None:
    ours = curves.calibration(LABEL, CHANCE)
    seen, said = calibration_curve(LABEL, CHANCE, n_bins=10, strategy="quantile")
    assert ours["observed"] == pytest.approx(seen.tolist(), abs=0.01)
    assert ours["predicted"] == pytest.approx(said.tolist(), abs=0.01)
    assert sum(ours["n"]) == 3000
    assert all(
        low <= share <= high for low, share, high in zip(ours["low"], ours["observed"], ours["high"], strict=True)
    )


def test_net_benefit_is_the_confusion_matrix_at_each_threshold() -> None:
    ours = curves.decision_curve(Ranking(LABEL, CHANCE), PERSON, seed=1, resamples=20)
    for place, threshold in enumerate(ours["threshold"]):
        assert threshold is not None
        _, false, _, true = confusion_matrix(LABEL, threshold <= CHANCE).ravel()
        assert ours["model"][place] == pytest.approx((true - false * threshold / (1 - threshold)) / 3000)


def test_precision_never_falls_below_what_some_threshold_with_that_recall_has() -> None:
    ours = curves.precision_recall(TALLY)
    at = evaluate.at_threshold(TALLY, 0.2)
    best = max(
        ppv
        for sensitivity, ppv in zip(ours["sensitivity"], ours["ppv"], strict=True)
        if sensitivity >= at["sensitivity"]
    )
    assert best >= at["ppv"] - 1e-9


def test_the_histogram_counts_everybody_once() -> None:
    ours = curves.score_histogram(LABEL, CHANCE)
    assert (sum(ours["with"]), sum(ours["without"])) == (LABEL.sum(), (~LABEL).sum())


@pytest.mark.parametrize("figure", FIGURES.values(), ids=list(FIGURES))
@pytest.mark.parametrize("size", WIDTHS)
@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_each_figure_is_svg_without_style_or_script_and_with_its_words(
    trained: Trained, figure: Figure, size: str, theme: Theme
) -> None:
    image = svg(figure.spec(trained.facts, size=size, theme=theme), theme)
    assert ElementTree.fromstring(image).tag.endswith("svg")
    assert "<script" not in image
    assert "<style" not in image
    assert figure.says(trained.facts).endswith(".")


def test_what_a_model_has_no_numbers_for_is_not_drawn(trained: Trained) -> None:
    assert list(drawable({"curves": {"roc": trained.facts["curves"]["roc"]}})) == ["roc"]
    assert drawable({}) == {}

"""Late truth: how well the model does where it is used, judged by those of whom the truth came to be known.

Only who was tested has an outcome, and who is tested is no accident: a high score leads to a test. Figures of the tested
alone are skewed by that (verification bias). So each tested person also stands for the untested of the same score band:
inverse-probability-of-testing weighting, Begg and Greenes, Biometrics 39:207 (1983) for sensitivity, Alonzo and Pepe,
JRSS C 54:173 (2005) for the AUROC. It holds if, within a band, testing did not depend on what was true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring import evaluate
from scoring.proportion import Share

Numbers = NDArray[np.float64]
Truth = NDArray[np.bool_]
Measure = Callable[[Numbers], Any]  # weights of the tested -> one figure

FEWEST_EVENTS = 20  # of each kind: of fewer, a resample would too often hold none
RESAMPLES, SEED = 400, 1
_BANDS = (0.5, 0.75, 0.9)  # quantiles of the score; testing is densest at the top, so bands are narrower there


@dataclass(frozen=True, kw_only=True)
class Asked:
    """People of whom the model was asked, newest first, one row each. Arrays of one length."""

    features: tuple[str, ...]
    rows: Numbers
    probability: Numbers  # nan where the model abstained
    label: Numbers  # 1, 0, or nan where nobody knows
    period: NDArray[np.str_]  # sorts by time: "2026-03"

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, chosen: Truth) -> Asked:
        parts = {name: getattr(self, name)[chosen] for name in ("rows", "probability", "label", "period")}
        return replace(self, **parts)

    @property
    def tested(self) -> Truth:
        return ~np.isnan(self.label)


def performance(asked: Asked, *, threshold: float) -> dict[str, Any]:
    """Figures of the tested, the same weighted to all, who was tested, and the course of time. None: too few to say."""
    scored = asked.where(~np.isnan(asked.probability))
    band = bands(scored, threshold)
    return {
        "people": len(asked),
        "abstained": len(asked) - len(scored),
        "threshold": threshold,
        **_counts(scored),
        "tested_above": _tested(scored.where(scored.probability >= threshold)),
        "tested_below": _tested(scored.where(scored.probability < threshold)),
        "speaks_for": float(np.isin(band, band[scored.tested]).mean()) if len(scored) else None,
        "among_tested": _figures(scored, np.zeros(len(scored), dtype=np.intp), threshold, weighted=False),
        "weighted": _figures(scored, band, threshold, weighted=True),
        "over_time": [_at(str(period), scored.where(scored.period == period)) for period in np.unique(scored.period)],
    }


def _counts(scored: Asked) -> dict[str, int]:
    return {"scored": len(scored), "tested": int(scored.tested.sum()), "events": int(np.nansum(scored.label))}


def _tested(part: Asked) -> list[int]:
    return [int(part.tested.sum()), len(part)]


def _enough(scored: Asked) -> bool:
    events = int(np.nansum(scored.label))
    return min(events, int(scored.tested.sum()) - events) >= FEWEST_EVENTS


def bands(scored: Asked, threshold: float) -> NDArray[np.intp]:
    if not len(scored):
        return np.zeros(0, dtype=np.intp)
    edges = np.unique([*np.quantile(scored.probability, _BANDS), threshold])
    return np.searchsorted(edges, scored.probability, side="right")


def _figures(scored: Asked, band: NDArray[np.intp], threshold: float, *, weighted: bool) -> dict[str, Any]:
    names = ("auroc", "observed_expected", "sensitivity", "ppv")
    if not _enough(scored):
        return dict.fromkeys(names)
    label, chance = scored.label[scored.tested].astype(np.bool_), scored.probability[scored.tested]
    alert = chance >= threshold
    measures: dict[str, Measure] = {
        "auroc": evaluate.auroc(label, chance),
        "observed_expected": evaluate.observed_expected(label, chance),
        "sensitivity": lambda weight: (weight * (alert & label)).sum() / (weight * label).sum(),
        "ppv": lambda weight: (weight * (alert & label)).sum() / (weight * alert).sum(),
    }
    shown = {name: measure for name, measure in measures.items() if name != "ppv" or alert.sum() >= FEWEST_EVENTS}
    found = _bootstrap(shown, scored.tested, band, weighted=weighted)
    return {name: found.get(name) for name in names}


def standing_for_all(people: Numbers, tested: Truth, band: NDArray[np.intp]) -> Numbers:
    """Weights of the tested: each stands for its share of everybody in its band, of whom `people` says how many."""
    everybody = np.bincount(band, weights=people)
    known = np.bincount(band[tested], weights=people[tested], minlength=len(everybody))
    factor = np.divide(everybody, known, out=np.zeros(len(everybody)), where=known > 0)
    return np.asarray(people[tested] * factor[band[tested]], dtype=np.float64)


def _bootstrap(
    measures: dict[str, Measure], tested: Truth, band: NDArray[np.intp], *, weighted: bool
) -> dict[str, dict[str, float]]:
    """Everybody is drawn with replacement, the untested too, and the chance of a test is estimated anew each time."""

    def figures(people: Numbers) -> list[float]:
        weight = standing_for_all(people, tested, band) if weighted else people[tested]
        return [float(measure(weight)) for measure in measures.values()]

    draw, size = np.random.default_rng(SEED), len(tested)
    values = figures(np.ones(size))
    drawn = [figures(draw.multinomial(size, np.full(size, 1 / size)).astype(np.float64)) for _ in range(RESAMPLES)]
    lows, highs = np.percentile(drawn, [2.5, 97.5], axis=0)
    return {
        name: {"value": value, "low": float(low), "high": float(high)}
        for name, value, low, high in zip(measures, values, lows, highs, strict=True)
    }


def _at(period: str, part: Asked) -> dict[str, Any]:
    """One period: calibration with its exact-like interval, which fewer events allow; AUROC where there are enough."""
    known = part.where(part.tested)
    figures: dict[str, Any] = {"auroc": None, "observed_expected": None}
    if len(known):
        figures["observed_expected"] = observed_expected(int(known.label.sum()), float(known.probability.sum()))
    if _enough(part):
        label = known.label.astype(np.bool_)
        measure: dict[str, Measure] = {"auroc": evaluate.auroc(label, known.probability)}
        alone = np.zeros(len(known), dtype=np.intp)
        figures |= _bootstrap(measure, known.tested, alone, weighted=False)
    return {"period": period, **_counts(part), **figures}


def observed_expected(observed: int, expected: float) -> dict[str, float]:
    """Cases for each that the probabilities promised, with Byar's 95 % interval of the count.

    Breslow and Day, Statistical Methods in Cancer Research II (IARC 1987), page 69.
    """
    more = observed + 1
    low = observed * (1 - 1 / (9 * observed) - 1.96 / (3 * observed**0.5)) ** 3 if observed else 0.0
    high = more * (1 - 1 / (9 * more) + 1.96 / (3 * more**0.5)) ** 3
    return {"value": observed / expected, "low": low / expected, "high": high / expected}


def in_words(found: dict[str, Any]) -> list[str]:
    """Who was tested and what that does to the figures: to be shown wherever the figures are."""
    if not found["tested"]:
        return [
            f"No outcome is known yet of the {found['scored']:,} people who were scored: nothing can be said so far."
        ]
    known = Share(found["tested"], found["scored"]).percent[0]
    above, below = (_in_100(*found[side]) for side in ("tested_above", "tested_below"))
    said = [
        f"The outcome is known of {found['tested']:,} of {found['scored']:,} people ({known:.0f} %), with "
        f"{found['events']:,} cases. Tested were {above} of those at or above the threshold and {below} of those below.",
        "Who was tested was not drawn by lot, so figures of the tested alone mislead.",
    ]
    if found["weighted"]["auroc"] is None:
        return [*said, f"Below {FEWEST_EVENTS} people with and {FEWEST_EVENTS} without the disease no figure is given."]
    said.append(
        "In the weighted figures each tested person stands for the untested with a similar score. They hold if, "
        "among people of a similar score, testing did not depend on whether they had the disease."
    )
    if found["speaks_for"] < 1:
        said.append(f"They speak for {100 * found['speaks_for']:.0f} % of the people: of the others nobody was tested.")
    return said


def _in_100(tested: int, people: int) -> str:
    return f"{100 * tested / people:.0f} in 100" if people else "none"

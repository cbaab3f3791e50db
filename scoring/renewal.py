"""Renewal: a model in use is recalibrated, or trained on, with the cases of the hospitals. It leaves a draft, never more.

The people that the recipe learnt from are not in a hospital, and the outcomes there are too few to start anew: so new trees
are grown on top of the booster in use (docs/decisions/010-renewal-goes-on-from-the-live-model.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring import drift, evaluate, shelf
from scoring.models import ModelVersion, TrainingRun
from scoring.outcomes import FEWEST_EVENTS, Asked, bands, standing_for_all
from scoring.shelf import Model

Numbers = NDArray[np.float64]
Status = TrainingRun.Status

# Cases, and people without the disease. 100 of each: Vergouwe et al., J Clin Epidemiol 58:475 (2005); 200 for new trees,
# which have more to learn: Collins et al., Stat Med 35:214 (2016).
TO_RECALIBRATE, TO_RETRAIN = 100, 200
HELD_OUT, CHOICE, CALIBRATION = 0.3, 0.2, 0.2  # the newest are held out; shares of the rest for choosing and for Platt
MOST_WEIGHT = 10.0  # one tested person stands for at most so many
RESAMPLES, SEED = 400, 1
_GROWTH = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "nthread": 1,
    "seed": SEED,
    "eta": 0.02,
    "max_depth": 2,
}
_ROUNDS = 40


@dataclass(frozen=True, kw_only=True)
class Cases:
    """People whose outcome is known, newest first; `weight`: for how many of all that were asked each one stands."""

    rows: Numbers
    label: NDArray[np.bool_]
    weight: Numbers

    def __len__(self) -> int:
        return len(self.label)

    def part(self, start: float, end: float) -> Cases:
        """From newest (0) to oldest (1)."""
        which = slice(round(start * len(self)), round(end * len(self)))
        return Cases(rows=self.rows[which], label=self.label[which], weight=self.weight[which])

    def enough(self, fewest: int) -> bool:
        events = int(self.label.sum())
        return min(events, len(self) - events) >= fewest


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A model that could follow: its artefact and its line of calibration."""

    name: str
    artefact: bytes
    model: Model

    def probability(self, rows: Numbers) -> Numbers:
        return np.array([score.probability for score in self.model.score_many(rows)])


def known(asked: Asked, *, threshold: float) -> Cases:
    scored = asked.where(~np.isnan(asked.probability))
    weight = standing_for_all(np.ones(len(scored)), scored.tested, bands(scored, threshold))
    there = scored.where(scored.tested)
    return Cases(rows=there.rows, label=there.label.astype(np.bool_), weight=weight.clip(max=MOST_WEIGHT))


def renew(name: str, asked: Asked, *, threshold: float, now: datetime) -> TrainingRun:
    """A run, saved; with a candidate where one was better on cases that neither learning nor calibrating had seen."""
    live = ModelVersion.objects.get(name=name, status=ModelVersion.Status.APPROVED)
    cases = known(asked, threshold=threshold)
    run = TrainingRun(model_name=name, live_version=live.version)
    run.report = {"known": len(cases), "events": int(cases.label.sum()), "asked": len(asked), "needed": TO_RECALIBRATE}
    if not installed():
        return _end(run, Status.UNAVAILABLE)
    late, early = cases.part(0, HELD_OUT), cases.part(HELD_OUT, 1)
    if (
        not cases.enough(TO_RECALIBRATE)
        or not late.enough(FEWEST_EVENTS)
        or not early.part(CHOICE, 1).enough(FEWEST_EVENTS)
    ):
        return _end(run, Status.TOO_FEW)
    contenders = _contenders(live, early, retrain=cases.enough(TO_RETRAIN))
    best = min(contenders, key=lambda one: _loss(one, early.part(0, CHOICE)))
    run.report |= {
        "held_out": {"people": len(late), "events": int(late.label.sum())},
        "best": best.name,
        "figures": {one.name: figures(one, contenders[0], late) for one in contenders},
    }
    if best.name == "live":
        return _end(run, Status.NO_BETTER)
    run.candidate = _draft(live, best, early, run.report, now=now)
    return _end(run, Status.CANDIDATE)


def installed() -> bool:
    """Is the extra `train` there?"""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        return False
    return True


def _end(run: TrainingRun, status: Status) -> TrainingRun:
    run.status = status
    run.save()
    return run


def _contenders(live: ModelVersion, early: Cases, *, retrain: bool) -> list[Contender]:
    """The one in use first. The newest of the early cases are for the choice and taught nobody."""
    taught = early.part(CHOICE, 1)
    start = Contender(name="live", artefact=bytes(live.artefact), model=shelf.load(live))
    found = [start, _straightened("recalibrated", live, start.artefact, taught)]
    grows, straightens = taught.part(CALIBRATION, 1), taught.part(0, CALIBRATION)
    if retrain and straightens.enough(FEWEST_EVENTS):
        grown = _grown(start, live.facts, grows)
        found.append(_straightened("retrained", live, grown, straightens))
    return found


def _grown(start: Contender, facts: Mapping[str, Any], taught: Cases) -> bytes:
    """Shallow trees on top of those in use, in the directions that medicine demands."""
    from xgboost import DMatrix
    from xgboost import train as boost

    features = list(start.model.features)
    matrix = DMatrix(taught.rows, taught.label, weight=taught.weight, feature_names=features, nthread=1)
    monotone = facts.get("params", {}).get("monotone", {})
    params = _GROWTH | {"monotone_constraints": {key: monotone.get(key, 0) for key in features}}
    return bytes(boost(params, matrix, _ROUNDS, xgb_model=start.model.booster).save_raw("ubj"))


def _straightened(name: str, live: ModelVersion, artefact: bytes, taught: Cases) -> Contender:
    """Platt's line through the margins of the booster itself, in place of the line that it had."""
    plain = _contender(name, live, artefact, {"slope": 1.0, "intercept": 0.0})
    return _contender(name, live, artefact, _line(plain, taught))


def _contender(name: str, live: ModelVersion, artefact: bytes, line: Mapping[str, float]) -> Contender:
    facts = {**live.facts, "calibration": dict(line), "sha256": shelf.sha256(artefact)}
    row = ModelVersion(name=live.name, version=live.version, sha256=facts["sha256"], artefact=artefact, facts=facts)
    return Contender(name=name, artefact=artefact, model=shelf.load(row))


def _line(plain: Contender, taught: Cases) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression

    margins = np.array([[score.margin] for score in plain.model.score_many(taught.rows)])
    line = LogisticRegression(C=1e6).fit(margins, taught.label, sample_weight=taught.weight)
    return {"slope": float(line.coef_[0, 0]), "intercept": float(line.intercept_[0])}


def _losses(one: Contender, cases: Cases) -> Numbers:
    chance = one.probability(cases.rows).clip(1e-6, 1 - 1e-6)
    return -np.log(np.where(cases.label, chance, 1 - chance))


def _loss(one: Contender, cases: Cases) -> float:
    return float(np.average(_losses(one, cases), weights=cases.weight))


def figures(one: Contender, live: Contender, late: Cases) -> dict[str, Any]:
    """On the held-out cases, each with its 95 % interval; `gain`: by how much its log loss is below that of the live one."""
    chance = one.probability(late.rows)
    gain = _losses(live, late) - _losses(one, late)
    auroc, calibration = evaluate.auroc(late.label, chance), evaluate.observed_expected(late.label, chance)

    def measured(weight: Numbers) -> list[float]:
        return [float(auroc(weight)), float(calibration(weight)), float(np.average(gain, weights=weight))]

    draw, size = np.random.default_rng(SEED), len(late)
    even = np.full(size, 1 / size)
    drawn = [measured(draw.multinomial(size, even) * late.weight) for _ in range(RESAMPLES)]
    lows, highs = np.percentile(drawn, [2.5, 97.5], axis=0)
    names: Sequence[str] = ("auroc", "observed_expected", "gain")
    values = zip(names, measured(late.weight), lows.tolist(), highs.tolist(), strict=True)
    return {name: {"value": value, "low": low, "high": high} for name, value, low, high in values}


def _draft(
    live: ModelVersion, best: Contender, early: Cases, report: Mapping[str, Any], *, now: datetime
) -> ModelVersion:
    """On the shelf as a draft; what the original was measured by stays among its facts, beside what was measured here."""
    version = f"{live.version.partition('+')[0]}+local.{now:%Y%m%d.%H%M}"
    columns = np.column_stack([early.rows, best.probability(early.rows)])
    facts = {
        **best.model.facts,
        "version": version,
        "renewed": {"from": live.version, "how": best.name, **report},
        "reference": drift.reference(columns, (*best.model.features, drift.PROBABILITY)),
    }
    return shelf.put(live.name, best.artefact, facts)


def in_words(run: TrainingRun) -> list[str]:
    """What came of it, and what to do next."""
    found = run.report
    count = (
        f"The outcome is known of {found['known']:,} of {found['asked']:,} people, {found['events']:,} of them cases."
    )
    if run.status == Status.UNAVAILABLE:
        return [count, "Nothing was tried: install the extra `train` where the queue `training` is worked on."]
    if run.status == Status.TOO_FEW:
        return [
            count,
            f"It takes at least {found['needed']} cases and as many without; nothing was tried and nothing changes.",
        ]
    late = found["held_out"]
    judged = (
        f"Compared on the newest {late['people']:,} people ({late['events']:,} cases), of whom no contender had learnt."
    )
    if "retrained" not in found["figures"]:
        judged += f" New trees were not grown: that takes {TO_RETRAIN} cases and as many without, of any time."
    if run.status == Status.NO_BETTER:
        return [count, judged, "Nothing was better than the model in use; nothing changes."]
    return [
        count,
        judged,
        f"The {found['best']} model is kept as a draft. It answers nothing until two people agree on it.",
    ]

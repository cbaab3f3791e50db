"""Watch: one look at a model where it is used. Rows in; findings and alarms in plain words out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scoring.drift import FEWEST, PROBABILITY, Reference, Shift, compare
from scoring.outcomes import Asked, in_words, performance

TRUSTED = (0.8, 1.25)  # observed/expected, where the model's own facts name no range
AGAINST = {"training": "the people it learnt from", "own": "its first 30 days here"}


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """`key` stays the same as long as the cause does, so that what somebody has seen rings no more."""

    key: str
    level: str  # watch or alarm
    text: str


def look(
    recent: Asked,
    all_time: Asked,
    *,
    facts: Mapping[str, Any],
    own: Reference | None,
    threshold: float,
) -> tuple[dict[str, Any], list[Alarm]]:
    """`recent` for drift, `all_time` for outcomes; `own`: the first days here, None while they last."""
    before = {"training": facts.get("reference"), "own": own}
    shifts = {name: _shifts(recent, known) for name, known in before.items() if known}
    outcomes = performance(all_time, threshold=threshold)
    findings = {
        "people": len(recent),
        "drift": {name: [asdict(shift) for shift in found] for name, found in shifts.items()},
        "outcomes": outcomes,
        "said": [*_limits(recent, before), *in_words(outcomes)],
    }
    drift = [alarm for name, found in shifts.items() for shift in found for alarm in _drifted(name, shift)]
    return findings, [*drift, *_calibration(outcomes, facts), *_discrimination(outcomes, facts)]


def _shifts(recent: Asked, before: Reference) -> list[Shift]:
    rows = np.column_stack([recent.rows, recent.probability])
    return compare(rows, (*recent.features, PROBABILITY), before)


def _limits(recent: Asked, before: Mapping[str, Reference | None]) -> list[str]:
    """What could not be compared, and why."""
    said = [f"The model was asked about {len(recent):,} people in this time."]
    if len(recent) < FEWEST:
        said.append(f"That is too few to compare: it takes {FEWEST}.")
    if not before["training"]:
        said.append(
            "The model's facts hold no reference of the people it learnt from: it is compared with its own past."
        )
    if not before["own"]:
        said.append("The first 30 days here are not over, or too few people were seen in them to compare with.")
    return said


def _drifted(against: str, shift: Shift) -> Iterator[Alarm]:
    name = "the model's answers" if shift.feature == PROBABILITY else shift.feature
    if shift.empty:
        usual = f"{100 * shift.missing_before:.0f} in 100 lacked it among {AGAINST[against]}"
        text = f"{name} is suddenly empty: none of the newest {shift.run} people had it; {usual}."
        yield Alarm(key=f"empty {shift.feature} {against}", level="alarm", text=text)
    elif shift.level and shift.missing is not None:
        missing = f"missing in {100 * shift.missing:.0f} in 100, before {100 * shift.missing_before:.0f}"
        text = f"{name} differs from {AGAINST[against]}: PSI {shift.psi:.2f}; {missing}."
        yield Alarm(key=f"drift {shift.feature} {against} {shift.level}", level=shift.level, text=text)


def _calibration(outcomes: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Alarm]:
    low, high = facts.get("trusted_observed_expected") or TRUSTED
    found = outcomes["among_tested"]["observed_expected"]
    if found and not found["low"] <= high:
        said = "more cases than it promises"
    elif found and not found["high"] >= low:
        said = "fewer cases than it promises"
    else:
        return
    numbers = f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f}), trusted {low:g} to {high:g}"
    text = f"Calibration: among the tested there are {said}: observed/expected {numbers}."
    yield Alarm(key="calibration", level="alarm", text=text)


def _discrimination(outcomes: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Alarm]:
    """Surely worse here than it was at validation."""
    promised = facts.get("performance", {}).get("unweighted", {}).get("auroc", {}).get("low")
    found = outcomes["weighted"]["auroc"]
    if found and promised is not None and found["high"] < promised:
        numbers = f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
        text = (
            f"It tells ill from well less well than at validation: AUROC {numbers}, promised at least {promised:.2f}."
        )
        yield Alarm(key="discrimination", level="alarm", text=text)

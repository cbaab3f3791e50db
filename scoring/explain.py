"""From log-odds, which add up, to points of probability, which people read and which only approximately do."""

from __future__ import annotations

import math

from scoring.shelf import Score, sigmoid


def points(score: Score) -> tuple[float, ...]:
    """Each feature's share of `probability - probability at base`, as a fraction: approximate, to be marked so.

    The slope of the straight line from base to margin on the logistic curve turns log-odds into probability, so the
    shares sum to the difference exactly; what one feature alone would do is another number. Where base and margin
    coincide the line becomes the tangent.
    """
    distance = math.fsum(score.contributions)
    at_base = sigmoid(score.base)
    slope = (score.probability - at_base) / distance if abs(distance) > 1e-6 else at_base * (1 - at_base)
    return tuple(contribution * slope for contribution in score.contributions)

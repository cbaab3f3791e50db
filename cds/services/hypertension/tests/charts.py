"""Charts for the tests of this service; the person, her clock and all other facts are those of the diabetes tests."""

from __future__ import annotations

from msgspec.structs import replace

from cds.facts import Observed
from cds.services.diabetes.tests.charts import measured


def pressure(systolic: float, diastolic: float, *, at: str = "2026-03-01", encounter: str = "") -> list[Observed]:
    """Both numbers of one measurement, of one Observation as a panel has them."""
    high = measured("systolic", systolic, at=at, encounter=encounter)
    low = measured("diastolic", diastolic, at=at, encounter=encounter)
    return [high, replace(low, source=high.source)]

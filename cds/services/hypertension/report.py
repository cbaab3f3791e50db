"""What "Save to chart" keeps of an answer, and under which names."""

from __future__ import annotations

from pathlib import Path

from cds.kept import Estimated

ESTIMATED = Estimated(
    key="bp-140-90-undiagnosed",
    text="BP >= 140/90 mmHg, hypertension not diagnosed",
    probability_key="bp-140-90-p",
    title="Estimate of undiagnosed high blood pressure",
    present="It looks for high blood pressure that is there now; it does not foretell hypertension to come.",
    folder=Path(__file__).parent,
)

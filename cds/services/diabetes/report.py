"""What "Save to chart" keeps of an answer, and under which names."""

from __future__ import annotations

from pathlib import Path

from cds.kept import Estimated

ESTIMATED = Estimated(
    key="hba1c-6.5-undiagnosed",
    text="HbA1c >= 6.5 %, diabetes not diagnosed",
    probability_key="hba1c-6.5-p",
    title="Estimate of undiagnosed diabetes",
    present="It looks for diabetes that is there now; it does not foretell diabetes to come.",
    folder=Path(__file__).parent,
)

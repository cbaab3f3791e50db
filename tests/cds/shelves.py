"""Further versions of the shipped model: the same trees under another number."""

from __future__ import annotations

from scoring import shelf
from scoring.models import ModelVersion

MODEL = "diabetes-risk"


def draft(version: str = "9.0.0") -> ModelVersion:
    shipped = shelf.in_use(MODEL)
    assert shipped is not None
    return shelf.put(MODEL, bytes(shipped.artefact), {**shipped.facts, "version": version})


def renewed() -> ModelVersion:
    """What a renewal leaves: the shipped model's facts, and what was measured at the hospital."""
    shipped = shelf.in_use(MODEL)
    assert shipped is not None
    measured = {
        "auroc": {"value": 0.771, "low": 0.7, "high": 0.82},
        "observed_expected": {"value": 1, "low": 0.9, "high": 1.1},
    }
    report = {
        "from": shipped.version,
        "how": "recalibrated",
        "held_out": {"people": 270, "events": 90},
        "figures": {"live": measured, "recalibrated": measured},
    }
    version = f"{shipped.version}+local.20261101.0210"
    return shelf.put(MODEL, bytes(shipped.artefact), {**shipped.facts, "version": version, "renewed": report})

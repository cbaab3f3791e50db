"""Figures of a version in one line each, whatever its facts hold."""

from __future__ import annotations

from scoring.headline import headline


def test_a_number_and_one_with_its_interval_are_both_read() -> None:
    table = {
        "auroc": {"value": 0.93188, "low": 0.9, "high": 0.95},
        "brier": 0.02129,
        "at_threshold": {"ppv": {"value": 0.2932, "low": 0.25, "high": 0.34}, "sensitivity": 0.607},
    }
    facts = {"performance": {"unweighted": table}, "validated_on": {"n": 9, "events": 2, "periods": ["2011"]}}
    found = headline(facts)
    assert found["AUROC"] == "0.932 [0.900–0.950]"
    assert found["Brier score"] == "0.0213"
    assert found["Alerts that are cases (PPV)"] == "29 % [25–34]"
    assert found["Cases found at its threshold (sensitivity)"] == "61 %"
    assert found["Measured on"] == "9 people of 2011, 2 with the label"


def test_what_was_not_measured_is_said() -> None:
    assert set(headline({}).values()) == {"not measured"}
    nobody = {
        "performance": {
            "unweighted": {"at_threshold": {"ppv": None}, "auroc": {"value": None, "low": None, "high": None}}
        }
    }
    assert set(headline(nobody).values()) == {"not measured"}

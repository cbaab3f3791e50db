"""Figures of a version in one line each, whatever its facts hold."""

from __future__ import annotations

from scoring.headline import at_home, headline


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


def test_a_renewed_version_tells_its_own_figures_from_those_it_came_with() -> None:
    gained = {"auroc": {"value": 0.8, "low": 0.7, "high": 0.9}, "observed_expected": None}
    renewed = {
        "from": "1.0.0+local.20261001.0210",
        "how": "retrained",
        "held_out": {"people": 270, "events": 90},
        "figures": {"live": gained, "recalibrated": gained, "retrained": gained},
    }
    facts = {"version": "1.0.0+local.20261101.0210", "renewed": renewed, "validated_on": {"n": 9, "events": 2}}
    assert headline(facts)["Measured on"] == "9 people, 2 with the label; of 1.0.0, before it was renewed"
    before, after = at_home(facts)
    assert before["Version"] == "1.0.0+local.20261001.0210, before"
    assert after["Version"] == "1.0.0+local.20261101.0210"
    assert after["Measured on"] == "270 people here, 90 with the label"
    assert (after["AUROC"], after["Observed/expected"]) == ("0.800 [0.700–0.900]", "not measured")
    assert at_home({"version": "1.0.0"}) == []

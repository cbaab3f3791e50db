"""The card for machines: every field is there, and the facts with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cds.model_card import document, is_shipped, service_of
from scoring import shelf
from scoring.models import ModelVersion
from tests.cds.shelves import MODEL, draft

pytestmark = pytest.mark.django_db


@pytest.fixture
def version() -> ModelVersion:
    found = shelf.in_use(MODEL)
    assert found is not None
    return found


@pytest.fixture
def found(version: ModelVersion) -> dict[str, Any]:
    service = service_of(MODEL)
    assert service is not None
    read: dict[str, Any] = json.loads(json.dumps(document(service, version)))
    return read


def texts(found: Any) -> Iterator[str]:
    if isinstance(found, str):
        yield found
    for inside in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from texts(inside)


def test_the_elements_of_chais_schema_are_there_and_none_is_empty(found: dict[str, Any]) -> None:
    card = found["chai_applied_model_card"]
    assert list(card) == [
        *("BasicInfo", "ReleaseInfo", "ModelSummary", "UsesAndDirections", "Warnings"),
        *("TrustIngredients", "KeyMetrics", "Resources", "Bibliography"),
    ]
    assert list(card["KeyMetrics"]) == ["UsefulnessUsabilityEfficacy", "FairnessEquity", "SafetyReliability"]
    assert all(texts({key: value for key, value in card.items() if key != "Bibliography"}))


def test_figures_are_numbers_with_their_intervals(found: dict[str, Any], version: ModelVersion) -> None:
    results = found["chai_applied_model_card"]["KeyMetrics"]["UsefulnessUsabilityEfficacy"]["Results"]
    area = version.facts["performance"]["unweighted"]["auroc"]
    assert results[0] == {
        "Label": "AUROC",
        "ValueJson": {
            "kind": "estimate_ci",
            "estimate": area["value"],
            "lower": area["low"],
            "upper": area["high"],
            "level": 95,
        },
    }
    groups = found["chai_applied_model_card"]["KeyMetrics"]["FairnessEquity"]["Results"]
    assert "AUROC, sex female" in {row["Label"] for row in groups}


def test_mitchells_nine_sections_are_there(found: dict[str, Any]) -> None:
    assert list(found["mitchell_model_card"]) == [
        *("model_details", "intended_use", "factors", "metrics", "evaluation_data", "training_data"),
        *("quantitative_analyses", "ethical_considerations", "caveats_and_recommendations"),
    ]


def test_the_source_attributes_and_all_facts_are_there(found: dict[str, Any], version: ModelVersion) -> None:
    assert len(found["source_attributes"]["attributes"]) == 31
    assert found["facts"] == version.facts


def test_the_words_are_about_the_version_that_came_with_the_code(version: ModelVersion) -> None:
    service = service_of(MODEL)
    assert service is not None
    assert is_shipped(service, version)
    assert not is_shipped(service, draft())


def test_a_model_that_no_service_asks_has_none() -> None:
    assert service_of("nobody-asks-this") is None

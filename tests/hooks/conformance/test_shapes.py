"""Each fault of discovery and of a card is named; what is right is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from hooks.conformance.shapes import faults_in_answer, faults_in_discovery

CARD: dict[str, Any] = {
    "uuid": "6f0d0a58-6d0f-4a3e-9b0e-0f9c2b9f3c11",
    "summary": "x" * 139,
    "indicator": "info",
    "source": {"label": "Bedside", "url": "https://cds.example/about", "topic": {"system": "s", "code": "c"}},
    "selectionBehavior": "at-most-one",
    "suggestions": [
        {
            "label": "Order HbA1c",
            "isRecommended": True,
            "actions": [
                {"type": "create", "description": "Order", "resource": {"resourceType": "ServiceRequest"}},
                {"type": "delete", "description": "Stop", "resourceId": "ServiceRequest/1"},
            ],
        }
    ],
    "overrideReasons": [{"system": "s", "code": "c", "display": "Known already"}],
    "links": [{"label": "Why", "url": "https://cds.example/launch", "type": "smart", "appContext": "a=1"}],
}
SERVICE = {"hook": "patient-view", "id": "a", "description": "b", "prefetch": {"p": "Patient/{{context.patientId}}"}}


def faults(**changed: Any) -> list[str]:
    return list(faults_in_answer({"cards": [CARD | changed]}))


def test_a_whole_card_and_an_answer_without_cards_have_no_fault() -> None:
    assert faults() == []
    assert list(faults_in_answer({"cards": []})) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"summary": "x" * 140}, "140 characters"),
        ({"summary": None}, "summary is not a text"),
        ({"detail": ""}, "left out"),
        ({"indicator": "hard-stop"}, "indicator"),
        ({"indicator": ["info"]}, "indicator"),
        ({"source": {"label": "x", "url": "/about"}}, "source.url is not an absolute URL"),
        ({"source": {"label": "x", "topic": {"code": "c"}}}, "topic.system is missing"),
        ({"source": None}, "source is missing"),
        ({"selectionBehavior": "all"}, "selectionBehavior"),
        ({"suggestions": []}, "left out"),
        ({"suggestions": "x"}, "not an array"),
        ({"suggestions": [{"label": "a", "isRecommended": True}] * 2}, "two suggestions are recommended"),
        ({"suggestions": [{"label": "a", "actions": [{"type": "create", "description": "x"}]}]}, "not a resource"),
        ({"suggestions": [{"label": "a", "actions": [{"type": "delete", "description": "x"}]}]}, "resourceId"),
        ({"suggestions": [{"label": "a", "actions": [{"type": "CREATE", "description": "x"}]}]}, "type is 'CREATE'"),
        ({"overrideReasons": [{"system": "s", "code": "c"}]}, "display is missing"),
        ({"links": [{"label": "a", "url": "https://a.example", "type": "web"}]}, "type is 'web'"),
        ({"links": [{"label": "a", "url": "launch", "type": "smart"}]}, "absolute URL"),
        (
            {"links": [{"label": "a", "url": "https://a.example", "type": "absolute", "appContext": "x"}]},
            "SMART link only",
        ),
    ],
)
def test_a_fault_of_a_card_is_named(changed: dict[str, Any], said: str) -> None:
    assert any(said in fault for fault in faults(**changed))


@pytest.mark.parametrize("answer", [None, [], {}, {"cards": None}, {"cards": [1]}, {"cards": [], "systemActions": [1]}])
def test_what_is_no_answer_is_said_and_breaks_nothing(answer: Any) -> None:
    assert list(faults_in_answer(answer))


def test_one_id_on_two_hooks_is_allowed_and_the_same_pair_twice_is_not() -> None:
    assert list(faults_in_discovery({"services": [SERVICE, SERVICE | {"hook": "order-sign"}]})) == []
    assert list(faults_in_discovery({"services": [SERVICE, SERVICE]}))


@pytest.mark.parametrize(
    "changed",
    [
        {"id": None},
        {"description": 7},
        {"title": ""},
        {"prefetch": {}},
        {"prefetch": {"a": 1}},
        {"prefetch": {"a": "Observation?code={{context.draftOrders.MedicationRequest.code}}"}},
        {"prefetch": {"a": "Observation?date=gt{{today() - 90 days}}"}},
    ],
)
def test_a_fault_of_a_service_is_named(changed: dict[str, Any]) -> None:
    assert list(faults_in_discovery({"services": [SERVICE | changed]}))

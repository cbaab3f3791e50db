"""A prescription asks when it is selected and again when it is signed; what was said is read before it is signed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from smartapp.demo_ehr.store import chart_store
from tests.smartapp.demo_ehr.conftest import App

CHART = "/demo-ehr/chart/bruno"


@pytest.fixture
def ordering(app: App) -> App:
    """An app that answers both hooks of ordering."""
    app.hooks = ["order-select", "order-sign"]
    return app


def press(path: str, **form: str) -> str:
    response = Client().post(f"{CHART}/{path}", form, headers={"X-Requested-With": "fetch"})
    assert response.status_code == 200
    return str(response.content.decode())


def prescribed() -> list[Any]:
    found = chart_store().all("MedicationRequest")
    return [one for one in found if one["subject"]["reference"] == "Patient/bruno" and one["status"] == "active"]


def test_selecting_sends_the_draft_and_names_it_as_selected(ordering: App) -> None:
    assert "Not signed yet" in press("prescribe")
    body = ordering.told[-1][1]
    (entry,) = body["context"]["draftOrders"]["entry"]
    assert (body["hook"], entry["resource"]["status"]) == ("order-select", "draft")
    assert body["context"]["selections"] == [f"MedicationRequest/{entry['resource']['id']}"]


def test_signing_sends_the_draft_without_selections(ordering: App) -> None:
    press("sign")
    body = ordering.told[-1][1]
    assert body["hook"] == "order-sign"
    assert "selections" not in body["context"]
    assert body["context"]["draftOrders"]["entry"]


def test_where_nothing_is_said_the_order_is_signed(ordering: App) -> None:
    ordering.silent = True
    assert "is in the chart" in press("sign")
    assert len(prescribed()) == 1


def test_where_something_is_said_it_is_read_first(ordering: App) -> None:
    page = press("sign")
    assert "Consider testing." in page
    assert "Sign anyway" in page
    assert prescribed() == []


def test_the_clinician_has_the_last_word(ordering: App) -> None:
    assert "is in the chart" in press("sign", anyway="1")
    assert len(prescribed()) == 1


def test_a_service_that_fails_is_a_problem_and_no_consent(ordering: App) -> None:
    ordering.status = 500
    page = press("sign")
    assert "Problem:" in page
    assert prescribed() == []


def test_the_button_stands_in_the_chart(app: App) -> None:
    assert "Prescribe metformin" in Client().get(CHART).content.decode()

"""The six people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from smartapp.demo_ehr.cast import read_cast
from smartapp.demo_ehr.people import everyone
from smartapp.demo_ehr.store import chart_store
from smartapp.demo_ehr.validation import require_references, require_valid

PATIENTS = ["ada", "bruno", "chen", "dara", "emil", "farah"]


def resource_name(resource: dict[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


@pytest.mark.parametrize("resource", read_cast(), ids=resource_name)
def test_every_resource_of_the_cast_is_valid(resource: dict[str, Any]) -> None:
    require_valid(resource)
    require_references(resource, store=chart_store())
    assert resource["id"]


def test_nobody_ages_out_of_their_story() -> None:
    assert {person.id: person.age for person in everyone()} == {
        "ada": 61,
        "bruno": 38,
        "chen": 52,
        "dara": 57,
        "emil": 9,
        "farah": 48,
    }


def test_dates_move_with_the_day() -> None:
    in_2030 = read_cast(now=datetime(2030, 6, 1, 9, 30, tzinfo=UTC))
    glucose = [one for one in in_2030 if one.get("valueQuantity", {}).get("value") == 121]
    assert [one["effectiveDateTime"] for one in glucose] == ["2030-04-22T09:30:00+00:00"]


@pytest.mark.parametrize("patient", PATIENTS)
def test_everybody_is_here_for_an_ambulatory_visit(patient: str) -> None:
    visit = chart_store().read("Encounter", f"{patient}-visit")
    assert (visit["status"], visit["class"]["code"]) == ("in-progress", "AMB")


def codes_of(patient: str) -> set[str]:
    found = [one for one in chart_store().all("Observation") if one["subject"]["reference"] == f"Patient/{patient}"]
    return {one["code"]["coding"][0]["code"] for one in found}


def test_ada_never_had_an_hba1c() -> None:
    assert not codes_of("ada") & {"4548-4", "17856-6", "59261-8"}


def test_chen_has_no_laboratory_value() -> None:
    assert codes_of("chen") == {"8302-2", "29463-7", "39156-5", "85354-9"}


def test_farahs_pressure_stands_alone() -> None:
    assert {"8480-6", "8462-4", "59261-8", "14749-6"} <= codes_of("farah")

"""What became of each prefetch key is counted for each EHR, and what to do about it is said."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from cds.models import Ehr
from hooks.models import HookCall
from hooks.prefetched import Key, prefetched
from smartapp.demo_ehr import hooks as emr
from tests.hooks.test_views import post, request_body


def became(prefetch: Any) -> dict[str, str]:
    """Of the keys, after one call with this prefetch and a token for the rest."""
    body = request_body("ada")
    asked = body["prefetch"] | prefetch
    body["prefetch"] = {name: value for name, value in asked.items() if value != "left out"}
    assert post(body).status_code == 200
    states: dict[str, str] = HookCall.objects.latest("received_at").prefetch
    return states


def test_what_came_whole_is_a_hit_and_what_did_not_come_a_miss(hospital: Ehr) -> None:
    states = became({"procedures": "left out"})
    assert states.pop("procedures") == "miss"
    assert set(states.values()) <= {"hit", "null"}
    assert states["glucose"] == "hit"


def test_empty_failed_and_another_patients_answers_are_told_apart(hospital: Ehr) -> None:
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
    theirs = request_body("dara")["prefetch"]["conditions"]
    states = became({"orders": None, "medications": failed, "conditions": theirs})
    assert (states["orders"], states["medications"], states["conditions"]) == ("null", "invalid", "invalid")


def test_an_answer_in_pages_is_not_taken_for_a_hit(hospital: Ehr) -> None:
    paged = request_body("ada")["prefetch"]["encounters"]
    paged["link"] = [{"relation": "next", "url": f"{hospital.fhir_base}/Encounter?patient=ada&_count=200"}]
    assert became({"encounters": paged})["encounters"] == "paged"


@pytest.mark.parametrize(
    ("counts", "advice"),
    [
        ((0, 0, 0, 0, 9), "never sent"),
        ((1, 0, 0, 8, 0), "mostly an error"),
        ((1, 1, 7, 0, 0), "mostly cut into pages"),
        ((5, 4, 1, 1, 9), ""),
    ],
)
def test_the_advice_fits_what_usually_happens(counts: tuple[int, ...], advice: str) -> None:
    said = Key(ehr="Other", service_id="diabetes-risk", key="hba1c", counts=counts).advice
    assert said.startswith(advice)
    assert bool(said) == bool(advice)


def test_an_administrator_sees_it_above_the_calls(hospital: Ehr, client: Client) -> None:
    emr.call_hook("ada", "diabetes-risk")
    assert {row.key for row in prefetched()} >= {"patient", "hba1c"}
    client.force_login(User.objects.create_superuser("root"))
    page = client.get(reverse("admin:hooks_hookcall_changelist"), headers={"host": "localhost"}).content.decode()
    assert "What EHRs prefetch" in page
    assert "hba1c" in page

"""On the page: what a facility has switched off, or its own threshold, counts for who opens a chart there."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from cds.models import Assessment, AtFacility, EnabledService
from smartapp.models import SmartSession
from tests.smartapp.conftest import Browser


def at(reference: str, *, service: str = "diabetes-risk", **settings: Any) -> None:
    here = EnabledService.objects.get(service_id=service)
    AtFacility.objects.create(here=here, name="Somewhere", reference=reference, **settings)
    EnabledService.objects.filter(pk=here.pk).update(by_facility=True)


def test_its_own_threshold_decides_there(browser: Browser) -> None:
    at("Organization/northgate", threshold=0.97)
    browser.look("ada")
    assert Assessment.objects.get(service_id="diabetes-risk").threshold == 0.97


def test_a_service_that_is_off_there_has_no_section_and_the_others_have(browser: Browser) -> None:
    at("Organization/northgate", off=True)
    page = browser.look("dara")
    assert "/services/metformin-renal" in page
    assert "/services/diabetes-risk" not in page
    assert not Assessment.objects.filter(service_id="diabetes-risk").exists()


def test_a_card_from_before_the_switch_opens_nothing_of_it(browser: Browser) -> None:
    page = browser.open("ada")
    assert browser.client.get(page).status_code == 200
    found = Assessment.objects.get(service_id="diabetes-risk")
    at("Organization/northgate", off=True)
    session = SmartSession.objects.get(pk=browser.open("ada").rstrip("/").rpartition("/")[2])
    part = reverse("part", kwargs={"session_id": session.pk, "assessment_id": found.pk})
    assert browser.client.get(part).status_code == 403


@pytest.mark.parametrize("differs", [True, False])
def test_the_encounter_is_read_only_where_facilities_differ(browser: Browser, differs: bool) -> None:
    if differs:
        at("Organization/southgate", off=True)
    page = browser.look("ada")
    assert "/services/diabetes-risk" in page
    assert SmartSession.objects.get().grant.places == (("Organization/northgate",) if differs else ())


def test_the_encounter_may_be_asked_for_by_a_service_that_does_not_read_it(browser: Browser) -> None:
    EnabledService.objects.exclude(service_id="metformin-renal").update(stage="off")
    assert "Encounter" not in browser.launch("ada")["Location"]
    at("Organization/northgate", service="metformin-renal", off=True)
    assert "patient%2FEncounter.rs" in browser.launch("ada")["Location"]
    assert "/services/metformin-renal" not in browser.look("dara")

"""How a service runs in one facility: told from the row, and asked of the database only where facilities differ."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from cds import registry
from cds.adjust import add, adjust, approve, history, remove
from cds.approval import Person
from cds.errors import BadInput
from cds.facilities import differ, refined, wanted
from cds.models import AtFacility, AuditEntry, Ehr, EnabledService, SettingsChange
from cds.needs import Need
from tests.cds.assessed import SERVICE

ANN = Person(name="Ann", key="a", approves=True)
CY = Person(name="Cy", key="c")
NORTH = "Organization/north"
WHY = "Their laboratory reports other units"


@pytest.fixture
def here(db: None) -> EnabledService:
    """Live at an EHR of two hospitals."""
    ehr = Ehr.objects.create(name="St. Elsewhere", fhir_base="https://elsewhere.example/fhir")
    row = EnabledService.objects.create(ehr=ehr, service_id=SERVICE, stage="live", threshold=0.2)
    add(row, name="North", reference=NORTH, by=CY)
    row.refresh_from_db()
    return row


def north() -> AtFacility:
    return AtFacility.objects.get(reference=NORTH)


def test_one_that_is_only_listed_differs_in_nothing(here: EnabledService) -> None:
    there = refined(here, (NORTH,))
    assert (there.stage, there.threshold) == ("live", 0.2)


def test_switching_off_there_takes_one_person_and_is_kept_with_who_and_why(here: EnabledService) -> None:
    adjust(here, to={"off": True}, by=CY, why=WHY, facility=NORTH)
    assert refined(here, (NORTH,)).stage == "off"
    assert refined(here, ("Organization/south",)).stage == "live"
    assert (north().off_by, north().off_reason) == ("Cy", WHY)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.detail["changes"]) == ("change-settings", f"at {NORTH}: off no to yes")


def test_switching_on_again_takes_two(here: EnabledService) -> None:
    adjust(here, to={"off": True}, by=CY, why=WHY, facility=NORTH)
    (change,) = adjust(here, to={"off": False}, by=CY, why="Mended there", facility=NORTH)
    assert refined(here, (NORTH,)).stage == "off"
    approve(change, by=ANN, why="I have seen it")
    assert refined(here, (NORTH,)).stage == "live"
    assert (north().off_by, north().off_at) == ("", None)


def test_its_own_threshold_takes_two(here: EnabledService) -> None:
    (change,) = adjust(here, to={"threshold": 0.3}, by=CY, why=WHY, facility=NORTH)
    assert refined(here, (NORTH,)).threshold == 0.2
    approve(change, by=ANN, why="I agree")
    assert refined(here, (NORTH,)).threshold == 0.3
    assert EnabledService.objects.get().threshold == 0.2
    assert str(history(here)[0]) == (
        f"{SERVICE} at St. Elsewhere: at {NORTH}: threshold that of the whole EHR to 30 %, made"
    )


def test_what_is_read_of_a_facility_does_not_change_the_row(here: EnabledService) -> None:
    adjust(here, to={"off": True}, by=CY, why=WHY, facility=NORTH)
    refined(here, (NORTH,))
    assert here.stage == "live"


@pytest.mark.parametrize("reference", ["north", "Practitioner/1", "Organization/", "https://x.example/Organization/1"])
def test_a_reference_that_no_encounter_can_have_is_refused(here: EnabledService, reference: str) -> None:
    with pytest.raises(BadInput, match="Such as Organization/17"):
        add(here, name="East", reference=reference, by=CY)


def test_a_facility_is_listed_once(here: EnabledService) -> None:
    with pytest.raises(BadInput, match="already exists"):
        add(here, name="North again", reference=NORTH, by=CY)


def test_one_that_differs_is_not_removed(here: EnabledService) -> None:
    adjust(here, to={"off": True}, by=CY, why=WHY, facility=NORTH)
    with pytest.raises(BadInput, match="settings of the whole EHR first"):
        remove(here, facility=NORTH, by=CY)


def test_one_about_which_something_was_asked_is_not_removed(here: EnabledService) -> None:
    adjust(here, to={"threshold": 0.3}, by=CY, why=WHY, facility=NORTH)
    with pytest.raises(BadInput, match="that is decided first"):
        remove(here, facility=NORTH, by=CY)


def test_when_the_last_is_removed_nobody_is_asked_any_more(here: EnabledService) -> None:
    assert differ(here.ehr)
    remove(here, facility=NORTH, by=CY)
    assert not differ(here.ehr)
    assert [entry.detail for entry in AuditEntry.objects.order_by("pk")] == [{"added": NORTH}, {"removed": NORTH}]


def test_what_is_not_listed_has_no_settings(here: EnabledService) -> None:
    with pytest.raises(BadInput, match="not among the facilities"):
        adjust(here, to={"off": True}, by=CY, why=WHY, facility="Organization/south")
    assert not SettingsChange.objects.exists()


def test_an_ehr_without_facilities_pays_nothing(
    here: EnabledService, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    remove(here, facility=NORTH, by=CY)
    here.refresh_from_db()
    with django_assert_num_queries(0):
        assert refined(here, (NORTH,)) is here
        assert wanted(here, registry.get("metformin-renal"), "e1") == ()


def test_the_encounter_is_asked_for_only_where_it_is_not_read_anyway(here: EnabledService) -> None:
    assert wanted(here, registry.get("metformin-renal"), "e1") == (Need.encounter("e1"),)
    assert wanted(here, registry.get("metformin-renal"), None) == ()
    assert wanted(here, registry.get("diabetes-risk"), "e1") == ()

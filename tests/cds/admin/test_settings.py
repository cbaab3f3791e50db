"""The settings' page: what is shown to somebody is changed by two people, and no other form is a way round it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from cds.models import Ehr, EnabledService, SettingsChange
from scoring import shelf
from tests.cds.admin.people import signed_in
from tests.cds.assessed import assessed, by_model

WHY = "Too many alerts on the wards"


@pytest.fixture
def here(db: None) -> EnabledService:
    shelf.forget()
    ehr = Ehr.objects.create(name="St. Elsewhere", fhir_base="https://elsewhere.example/fhir")
    return EnabledService.objects.create(ehr=ehr, service_id="diabetes-risk", stage="live")


def address(here: EnabledService) -> str:
    return reverse("admin:cds_enabledservice_settings", args=[here.pk])


def send(client: Client, here: EnabledService, do: str, **given: str) -> int:
    return client.post(address(here), {"do": do, **given}).status_code


def as_it_is(here: EnabledService, **changed: str) -> dict[str, str]:
    now = {"threshold": "", "write_back": here.write_back, "cool_down_hours": "8", "daily_budget": ""}
    return {f"adjust-{name}": value for name, value in (now | {"why": WHY} | changed).items()}


def text(client: Client, here: EnabledService) -> str:
    answer = client.get(address(here))
    assert answer.status_code == 200
    return answer.content.decode()


def test_two_people_change_a_live_threshold_beside_what_it_would_do(here: EnabledService) -> None:
    assessed(here, by_model(0.3), by_model(0.15))
    integrator, approver = signed_in("ina", "integrator"), signed_in("app", "clinical approver")
    assert send(integrator, here, "adjust", **as_it_is(here, threshold="0.2")) == 302
    assert "somebody else decides" in text(integrator, here)
    page = text(approver, here)
    assert "<strong>ina</strong> asked" in page
    assert "20 % (then)" in page
    assert send(approver, here, "approve", **{"decide-why": "I agree"}) == 302
    here.refresh_from_db()
    assert here.threshold == 0.2
    assert "threshold the service&#x27;s own to 20 %" in text(approver, here)


def test_who_asked_does_not_decide_even_as_an_approver(here: EnabledService) -> None:
    approver = signed_in("app", "clinical approver")
    send(approver, here, "adjust", **as_it_is(here, threshold="0.2"))
    assert send(approver, here, "approve", **{"decide-why": "I agree"}) == 403
    assert send(approver, here, "withdraw") == 302
    assert SettingsChange.objects.get().verdict == "withdrawn"


def test_a_superuser_without_the_role_decides_nothing(here: EnabledService) -> None:
    send(signed_in("ina", "integrator"), here, "adjust", **as_it_is(here, threshold="0.2"))
    assert send(signed_in("root", superuser=True), here, "approve", **{"decide-why": "I agree"}) == 403


def test_before_anybody_is_shown_it_one_person_is_enough(here: EnabledService) -> None:
    EnabledService.objects.update(stage="silent")
    assert send(signed_in("ina", "integrator"), here, "adjust", **as_it_is(here, threshold="0.2")) == 302
    here.refresh_from_db()
    assert here.threshold == 0.2


def test_a_threshold_in_per_cent_is_refused(here: EnabledService) -> None:
    given = {"do": "adjust", **as_it_is(here, threshold="20")}
    page = signed_in("ina", "integrator").post(address(here), given).content.decode()
    assert "A fraction from 0 to 1" in page
    assert not SettingsChange.objects.exists()


def test_without_a_reason_nothing_is_asked_for(here: EnabledService) -> None:
    given = {"do": "adjust", **as_it_is(here, threshold="0.2", why="")}
    assert "This field is required" in signed_in("ina", "integrator").post(address(here), given).content.decode()
    assert not SettingsChange.objects.exists()


def test_an_auditor_reads_and_changes_nothing(here: EnabledService) -> None:
    auditor = signed_in("aud", "auditor")
    assert "History" in text(auditor, here)
    assert send(auditor, here, "adjust", **as_it_is(here, threshold="0.2")) == 403


def test_the_ehrs_page_is_no_way_round_it(here: EnabledService) -> None:
    page, integrator = reverse("admin:cds_ehr_change", args=[here.ehr.pk]), signed_in("ina", "integrator")
    shown = integrator.get(page).context
    given = {name: value for name, value in shown["adminform"].form.initial.items() if value}
    for rows in shown["inline_admin_formsets"]:
        count = str(len(rows.formset.initial_forms))
        given |= {f"{rows.formset.prefix}-{name}": count for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    given |= {
        "services-0-id": str(here.pk),
        "services-0-ehr": str(here.ehr.pk),
        "services-0-service_id": "metformin-renal",
    }
    given |= {"services-0-threshold": "0.9", "services-0-write_back": "off", "services-0-cool_down_hours": "0"}
    assert integrator.post(page, given).status_code == 302
    here.refresh_from_db()
    assert (here.service_id, here.threshold, here.write_back, here.cool_down_hours) == (
        *("diabetes-risk", None, "suggest", 8),
    )


def test_a_facility_is_listed_switched_off_and_in_the_end_removed(here: EnabledService) -> None:
    integrator, north = signed_in("ina", "integrator"), f"{address(here)}?facility=Organization/north"
    assert send(integrator, here, "add", **{"add-name": "North", "add-reference": "Organization/north"}) == 302
    off = {"do": "adjust", "adjust-off": "on", "adjust-why": "Their laboratory reports other units"}
    assert integrator.post(north, off).status_code == 302
    page = text(integrator, here)
    assert "Their laboratory reports other units (ina)" in page
    assert integrator.post(north, {"do": "remove"}).status_code == 403
    back = {"do": "adjust", "adjust-threshold": "", "adjust-why": "Mended since today"}
    assert integrator.post(north, back).status_code == 302
    approver = signed_in("app", "clinical approver")
    assert "at Organization/north: off yes to no" in text(approver, here)
    assert send(approver, here, "approve", **{"decide-why": "I have seen it"}) == 302
    assert integrator.post(north, {"do": "remove"}).status_code == 302
    assert not here.facilities.exists()


def test_a_reference_that_no_encounter_can_have_is_refused_on_the_form(here: EnabledService) -> None:
    given = {"do": "add", "add-name": "North", "add-reference": "North hospital"}
    assert "Such as Organization/17" in signed_in("ina", "integrator").post(address(here), given).content.decode()
    assert not here.facilities.exists()


def test_an_auditor_lists_no_facility(here: EnabledService) -> None:
    given = {"add-name": "North", "add-reference": "Organization/north"}
    assert send(signed_in("aud", "auditor"), here, "add", **given) == 403


def test_the_services_own_page_leads_here(here: EnabledService) -> None:
    page = reverse("admin:cds_enabledservice_change", args=[here.pk])
    integrator = signed_in("ina", "integrator")
    for answer in (integrator.get(page), integrator.post(page, {"threshold": "0.9"})):
        assert (answer.status_code, answer["Location"]) == (302, address(here))
    here.refresh_from_db()
    assert here.threshold is None


@pytest.mark.parametrize("pk", ["999", "x", "1/nothing"])
def test_what_is_no_service_is_not_found(here: EnabledService, pk: str) -> None:
    assert signed_in("ina", "integrator").get(f"/admin/cds/enabledservice/{pk}/change/").status_code == 404


def test_what_waits_is_on_the_first_page_and_leads_here(here: EnabledService) -> None:
    send(signed_in("ina", "integrator"), here, "adjust", **as_it_is(here, threshold="0.2"))
    approver = signed_in("app", "clinical approver")
    listed = f"{reverse('admin:cds_settingschange_changelist')}?verdict__exact=waiting"
    assert listed in approver.get(reverse("admin:index")).content.decode()
    row = reverse("admin:cds_settingschange_change", args=[SettingsChange.objects.get().pk])
    assert row in approver.get(listed).content.decode()
    assert approver.get(row)["Location"] == address(here)

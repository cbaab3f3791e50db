"""The admin: connecting an EHR is one page, and what happened cannot be changed or read in clear there."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from cds import audit, registry
from cds.models import Assessment, AuditEntry, Ehr, EnabledService
from cds.switch import switch_off
from hooks.models import HookCall
from smartapp.demo_ehr import hooks as emr
from tests.serving import serving
from tests.strangers import Stranger


@pytest.fixture
def administrator(db: None) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("root"))
    return client


READ_ONLY = ["cds_assessment", "cds_writeback", "cds_feedback", "cds_auditentry", "hooks_hookcall"]


@pytest.mark.parametrize("model", READ_ONLY)
def test_what_happened_is_listed_and_nothing_is_added(administrator: Client, model: str) -> None:
    assert administrator.get(reverse(f"admin:{model}_changelist")).status_code == 200
    assert administrator.get(reverse(f"admin:{model}_add")).status_code == 403


def test_an_assessments_page_shows_no_fact_of_the_patient(administrator: Client, ehr: Ehr) -> None:
    row = Assessment.objects.create(
        ehr=ehr,
        service_id="diabetes-risk",
        service_version="1",
        threshold=0.1,
        fingerprint="f",
        patient_key="k",
        snapshot=b"HbA1c of somebody",
        result=b"an answer",
    )
    page = administrator.get(reverse("admin:cds_assessment_change", args=[row.pk])).content.decode()
    assert str(row.pk) in page
    assert "somebody" not in page
    assert "an answer" not in page


def test_an_audit_entry_cannot_be_deleted(administrator: Client, ehr: Ehr) -> None:
    audit.record("view", actor="a", ehr=ehr)
    entry = AuditEntry.objects.get(action="view")
    assert administrator.post(reverse("admin:cds_auditentry_delete", args=[entry.pk])).status_code == 403


def form_for(ehr: Ehr, **changed: str) -> dict[str, str]:
    """The form of the EHR's page with its first service."""
    names = (
        *("name", "environment", "fhir_base", "vendor", "time_zone", "client_kind", "client_id", "client_algorithm"),
        *("hook_issuer", "hook_jwks_url", "hook_algorithms", "hooks_version", "crawl_pace"),
    )
    service = EnabledService.objects.filter(ehr=ehr).first()
    there = {"0-id": str(service.pk), "0-ehr": str(ehr.pk)} if service else {}
    inline = {"TOTAL_FORMS": "1", "INITIAL_FORMS": str(len(there) // 2), **there}
    form = {name: str(getattr(ehr, name)) for name in names} | {"active": "on"}
    form |= {"pacs-TOTAL_FORMS": "0", "pacs-INITIAL_FORMS": "0"}
    return form | {f"services-{name}": value for name, value in inline.items()} | changed


def test_a_service_is_added_silent_and_who_did_it_is_audited(administrator: Client, ehr: Ehr) -> None:
    EnabledService.objects.filter(ehr=ehr).delete()
    address = reverse("admin:cds_ehr_change", args=[ehr.pk])
    row = {"service_id": "diabetes-risk", "threshold": "0.2", "write_back": "suggest", "cool_down_hours": "8"}
    form = form_for(ehr, **{f"services-0-{name}": value for name, value in row.items()})
    assert administrator.post(address, form).status_code == 302
    added = EnabledService.objects.get()
    assert (added.stage, added.threshold) == ("silent", 0.2)
    assert "added" in AuditEntry.objects.get(action="configure").detail["changes"]


def test_a_service_is_picked_from_those_installed(administrator: Client, ehr: Ehr) -> None:
    page = administrator.get(reverse("admin:cds_ehr_change", args=[ehr.pk])).content.decode()
    for service in registry.all_services():
        assert f'<option value="{service.id}"' in page


def test_every_field_of_an_ehr_and_of_its_services_can_be_set(administrator: Client, ehr: Ehr) -> None:
    """Whoever adds a field to the model thinks of the page too."""
    page = administrator.get(reverse("admin:cds_ehr_change", args=[ehr.pk])).content.decode()
    for field in Ehr._meta.fields:
        if field.editable and not field.primary_key and field.name != "client_secret":
            assert f'name="{field.name}"' in page, field.name
    for field in EnabledService._meta.fields:
        led = {"stage", "canary_percent", "off_reason", "off_by", "off_at", "experiment"}  # on pages of their own
        if field.editable and field.name not in {"id", "ehr"} | led:
            assert f'name="services-0-{field.name}"' in page, field.name


def test_an_ehr_is_switched_off_and_not_deleted(administrator: Client, ehr: Ehr) -> None:
    assert administrator.post(reverse("admin:cds_ehr_delete", args=[ehr.pk])).status_code == 403


# --- Connecting -----------------------------------------------------------------------------------------------------
CONNECT = "/admin/cds/ehr/connect/"


def found_at(administrator: Client, base: str, **given: str) -> str:
    answer = administrator.post(CONNECT, {"look": "1", "fhir_base": base, "vendor": "other"} | given)
    assert answer.status_code == 200
    return str(answer.content.decode())


def to_keep(page: str, **changed: str) -> dict[str, str]:
    """What the browser would send: the second form as it was shown."""
    shown = dict(re.findall(r'<input [^>]*name="(\w+)"[^>]*?value="([^"]*)"', page))
    picked = {"environment": "test", "client_kind": "public", "hooks_version": "2.0"}
    return {name: unescape(value) for name, value in shown.items()} | picked | {"keep": "1", "name": "New"} | changed


def test_the_fhir_base_is_enough_to_see_what_will_work(administrator: Client, hospital: Ehr) -> None:
    page = found_at(administrator, hospital.fhir_base, private_network="on")
    assert "Every step went well" in page
    assert "Writing RiskAssessment" in page
    assert "private_key_jwt" in page
    assert AuditEntry.objects.get(action="look").subject in hospital.fhir_base


def test_an_address_that_is_none_is_refused_before_anything_is_asked(administrator: Client, db: None) -> None:
    for base in ("file:///etc/passwd", "nonsense", "https://e.org:99999/fhir", "https://user:word@e.org:x/"):
        page = found_at(administrator, base)
        assert "What will and won" not in page
    assert not AuditEntry.objects.filter(action="look").exists()


def test_the_addresses_to_hand_over_are_ours(administrator: Client, hospital: Ehr, settings: Settings) -> None:
    page = administrator.get(CONNECT).content.decode()
    for path in ("launch", "callback", "jwks.json", "cds-services"):
        assert f"<code>{settings.BASE_URL}/{path}</code>" in page


def test_a_vendors_preset_is_suggested(administrator: Client, hospital: Ehr) -> None:
    page = found_at(administrator, hospital.fhir_base, private_network="on", vendor="epic")
    assert to_keep(page)["hook_algorithms"] == "RS384"
    assert to_keep(page)["hook_issuer"] == hospital.fhir_base
    assert "MedicationRequest cannot be searched by code" in page
    assert to_keep(page)["vendor"] == "epic"
    assert "sorted by Bedside" not in page  # the demo hospital says that it sorts
    assert "all in one batch; newest first; at most 200 a page" in page


def test_a_new_ehr_is_kept_inactive_and_silent(administrator: Client, site: str) -> None:
    with serving(Stranger()) as stranger:
        page = found_at(administrator, f"{stranger.url}/fhir", private_network="on")
    assert "Stopped at: Connection and TLS" in page
    answer = administrator.post(CONNECT, to_keep(page, active="on"))
    assert answer.status_code == 302, answer.content.decode()
    ehr = Ehr.objects.get(name="New")
    assert (ehr.active, ehr.environment, ehr.private_network) == (False, "test", True)
    assert {row.stage for row in ehr.services.all()} == {"silent"}
    assert ehr.services.count() == len(registry.all_services())
    assert AuditEntry.objects.filter(action="configure", ehr=ehr).exists()


@pytest.mark.parametrize("respell", [str, lambda base: f"{base}//", lambda base: base.replace("fhir", "%66hir")])
def test_a_test_ehr_never_shares_the_base_of_a_production_ehr(
    administrator: Client, hospital: Ehr, respell: Callable[[str], str]
) -> None:
    Ehr.objects.update(environment="production")
    page = found_at(administrator, hospital.fhir_base, private_network="on")
    answer = administrator.post(CONNECT, to_keep(page, fhir_base=respell(hospital.fhir_base)))
    assert "has this FHIR base already" in answer.content.decode()
    assert Ehr.objects.count() == 1


def test_the_secret_is_kept_encrypted_and_never_shown(administrator: Client, ehr: Ehr) -> None:
    address = reverse("admin:cds_ehr_change", args=[ehr.pk])
    administrator.post(address, form_for(ehr, client_kind="symmetric", new_client_secret="open sesame"))
    assert bytes(Ehr.objects.get().client_secret or b"") == b"open sesame"
    assert "sesame" not in administrator.get(address).content.decode()
    administrator.post(address, form_for(ehr, client_kind="symmetric"))
    assert bytes(Ehr.objects.get().client_secret or b"") == b"open sesame"


@pytest.mark.parametrize(
    "entered",
    [
        "https://login.example:99999",
        "http://[bad",
        "login.example",
        "https://login.example/oauth",
        "javascript:alert(1)",
    ],
)
def test_a_login_origin_that_is_none_is_refused_on_both_pages(administrator: Client, ehr: Ehr, entered: str) -> None:
    address = reverse("admin:cds_ehr_change", args=[ehr.pk])
    given = f"https://fine.example {entered}"
    assert "Not an origin" in administrator.post(address, form_for(ehr, login_origins=given)).content.decode()
    kept = {"keep": "1", "fhir_base": "https://new.example/fhir", "name": "New", "login_origins": given}
    assert "Not an origin" in administrator.post(CONNECT, kept).content.decode()
    assert Ehr.objects.get().login_origins == ""


def test_login_origins_with_and_without_a_port_are_kept(administrator: Client, ehr: Ehr) -> None:
    address = reverse("admin:cds_ehr_change", args=[ehr.pk])
    given = "https://login.example https://second.example:8443"
    assert administrator.post(address, form_for(ehr, login_origins=given)).status_code == 302
    assert Ehr.objects.get().login_origins == given


# --- One issuer for several hospitals --------------------------------------------------------------------------------
def keep_another(administrator: Client, ehr: Ehr, tenant: str) -> str:
    """The page that comes back when a second hospital with the first one's issuer is entered."""
    new = {
        "keep": "1",
        "vendor": "other",
        "fhir_base": "https://new.example/fhir",
        "name": "New",
        "environment": "test",
    }
    new |= {"time_zone": "UTC", "client_kind": "public", "hooks_version": "2.0", "hook_algorithms": "ES384"}
    new |= {"hook_issuer": str(ehr.hook_issuer), "hook_tenant": tenant}
    return str(administrator.post(CONNECT, new).content.decode())


def test_an_issuer_is_shared_by_hospitals_that_each_have_a_tenant(administrator: Client, ehr: Ehr) -> None:
    Ehr.objects.update(hook_tenant="clinic-a")
    assert keep_another(administrator, ehr, "clinic-b") == ""
    assert Ehr.objects.filter(hook_issuer=ehr.hook_issuer).count() == 2


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("", "clinic-b", "enter its tenant first"),
        ("clinic-a", "", "enter the tenant"),
        ("clinic-a", "clinic-a", "has this issuer and tenant already"),
    ],
)
def test_hospitals_that_no_tenant_tells_apart_share_no_issuer(
    administrator: Client, ehr: Ehr, first: str, second: str, told: str
) -> None:
    Ehr.objects.update(hook_tenant=first)
    assert told in keep_another(administrator, ehr, second)
    assert Ehr.objects.count() == 1


def test_hospitals_without_hooks_share_nothing(administrator: Client, ehr: Ehr) -> None:
    ehr.hook_issuer = None
    ehr.save()
    assert keep_another(administrator, Ehr(hook_issuer=""), "") == ""


def test_the_connection_is_tested_with_one_button(administrator: Client, hospital: Ehr) -> None:
    address = reverse("admin:cds_ehr_connection", args=[hospital.pk])
    assert "Never tested" in administrator.get(address).content.decode()
    assert "Every step went well" in administrator.post(address).content.decode()
    hospital.client_id = ""
    hospital.save()
    page = administrator.post(address).content.decode()
    assert "Stopped at: Client id" in page
    assert "What to do:" in page


# --- Switching off --------------------------------------------------------------------------------------------------
def test_switching_off_asks_why_and_says_what_it_does(administrator: Client, ehr: Ehr) -> None:
    address = reverse("admin:cds_ehr_switch_off", args=[ehr.pk])
    page = administrator.get(address).content.decode()
    assert "Hooks are still answered, with no cards" in page
    everything = [service.id for service in registry.all_services()]
    assert "This field is required" in administrator.post(address, {"services": everything}).content.decode()
    assert not EnabledService.objects.filter(stage="off").exists()
    assert administrator.post(address, {"services": everything, "reason": "Wrong units"}).status_code == 302
    assert set(ehr.services.values_list("stage", "off_by", "off_reason")) == {("off", "root", "Wrong units")}


def test_a_form_that_was_opened_before_the_stop_does_not_undo_it(administrator: Client, ehr: Ehr) -> None:
    row = EnabledService.objects.filter(ehr=ehr).earliest("pk")
    address = reverse("admin:cds_ehr_change", args=[ehr.pk])
    given = form_for(ehr, **{"services-0-threshold": "0.2", "services-0-stage": "live"})
    switch_off(ehr, [row.service_id], by="root", actor="a", reason="Wrong units")
    assert administrator.post(address, given).status_code == 302
    row.refresh_from_db()
    assert (row.stage, row.off_reason, row.threshold) == ("off", "Wrong units", None)
    assert "Wrong units (root" in administrator.get(address).content.decode()


# --- Test systems and test patients ---------------------------------------------------------------------------------
def first_card(patient: str) -> dict[str, Any]:
    card: dict[str, Any] = emr.call_hook(patient, "diabetes-risk").json()["cards"][0]
    return card


def test_a_card_of_a_test_system_says_so_and_counts_for_nothing(hospital: Ehr) -> None:
    assert first_card("ada")["source"]["label"].startswith("TEST SYSTEM")
    assert (Assessment.objects.get().test, HookCall.objects.get().test) == (True, True)


def test_a_card_of_production_does_not(hospital: Ehr) -> None:
    Ehr.objects.update(environment="production")
    assert first_card("ada")["source"]["label"].startswith("Bedside")
    assert (Assessment.objects.get().test, HookCall.objects.get().test) == (False, False)


def test_a_test_patient_of_production_is_answered_and_not_counted(hospital: Ehr) -> None:
    Ehr.objects.update(environment="production", test_patients="zoe\nada\n")
    assert first_card("ada")["source"]["label"].startswith("Bedside")
    assert (Assessment.objects.get().test, HookCall.objects.get().test) == (True, True)


# --- Populations -----------------------------------------------------------------------------------------------------
def test_groups_and_file_hosts_are_kept_one_by_one(administrator: Client, ehr: Ehr) -> None:
    address = reverse("admin:cds_ehr_change", args=[ehr.pk])
    entered = form_for(ehr, population_groups="diabetics\r\n  all-1 ", file_origins="https://files.example")
    assert administrator.post(address, entered).status_code == 302
    kept = Ehr.objects.get()
    assert (kept.population_groups, kept.file_origins) == ("diabetics\nall-1", "https://files.example")


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("population_groups", "Group/1", "Not the id of a Group"),
        ("file_origins", "https://files.example/all", "Not an origin"),
        ("crawl_pace", "0", "greater than or equal to 0.1"),
    ],
)
def test_what_cannot_be_fetched_from_is_refused(
    administrator: Client, ehr: Ehr, name: str, given: str, said: str
) -> None:
    address = reverse("admin:cds_ehr_change", args=[ehr.pk])
    assert said in administrator.post(address, form_for(ehr, **{name: given})).content.decode()

"""The admin: connecting an EHR is one page, and what happened cannot be changed or read in clear there."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from cds import audit, registry
from cds.models import Assessment, AuditEntry, Ehr, EnabledService


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
    entry = AuditEntry.objects.get()
    assert administrator.post(reverse("admin:cds_auditentry_delete", args=[entry.pk])).status_code == 403


def form_for(ehr: Ehr, **changed: str) -> dict[str, str]:
    """The form of the EHR's page with its first service."""
    names = (
        *("name", "environment", "fhir_base", "time_zone", "client_kind", "client_id", "client_algorithm"),
        *("hook_issuer", "hook_jwks_url", "hook_algorithms"),
    )
    service = EnabledService.objects.get(ehr=ehr)
    inline = {
        "TOTAL_FORMS": "1",
        "INITIAL_FORMS": "1",
        "0-id": str(service.pk),
        "0-ehr": str(ehr.pk),
        "0-service_id": service.service_id,
        "0-stage": service.stage,
        "0-write_back": service.write_back,
        "0-cool_down_hours": "8",
    }
    form = {name: str(getattr(ehr, name)) for name in names} | {"active": "on"}
    return form | {f"services-{name}": value for name, value in inline.items()} | changed


def test_a_threshold_is_set_and_who_did_it_is_audited(administrator: Client, ehr: Ehr) -> None:
    address = reverse("admin:cds_ehr_change", args=[ehr.pk])
    assert administrator.post(address, form_for(ehr, **{"services-0-threshold": "0.2"})).status_code == 302
    assert EnabledService.objects.get().threshold == 0.2
    entry = AuditEntry.objects.get(action="configure")
    assert "Threshold" in entry.detail["changes"]


def test_a_threshold_in_per_cent_is_refused(administrator: Client, ehr: Ehr) -> None:
    address = reverse("admin:cds_ehr_change", args=[ehr.pk])
    page = administrator.post(address, form_for(ehr, **{"services-0-threshold": "20"})).content.decode()
    assert "A fraction from 0 to 1" in page
    assert EnabledService.objects.get().threshold is None


def test_a_service_is_picked_from_those_installed(administrator: Client, ehr: Ehr) -> None:
    page = administrator.get(reverse("admin:cds_ehr_change", args=[ehr.pk])).content.decode()
    for service in registry.all_services():
        assert f'<option value="{service.id}"' in page


def test_an_ehr_is_switched_off_and_not_deleted(administrator: Client, ehr: Ehr) -> None:
    assert administrator.post(reverse("admin:cds_ehr_delete", args=[ehr.pk])).status_code == 403

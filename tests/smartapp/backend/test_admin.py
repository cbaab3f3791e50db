"""Callers are registered, limited and switched off on one page, by those who may."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cds import registry
from cds.models import AuditEntry, Ehr, PopulationRun
from cds.population import open_run
from smartapp.backend.models import ApiCall, BackendClient, Batch
from smartapp.backend.scopes import PREDICT, SCORE_BATCH
from tests.smartapp.backend.outside import EC, RSA, Outside, published

NOW = timezone.now()


def signed_in(role: str) -> Client:
    user = User.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


@pytest.fixture
def integrator(ehr: Ehr) -> Client:
    return signed_in("integrator")


def entered(ehr: Ehr, **changed: Any) -> dict[str, Any]:
    usual = {
        "name": "Night batch",
        "ehr": ehr.pk,
        "client_id": "night-batch",
        "active": "on",
        "jwks_url": "",
        "jwks": published(RSA, EC),
        "algorithms": ["RS384", "ES384"],
        "scopes": [PREDICT, SCORE_BATCH],
        "calls_per_minute": 60,
        "batches_per_day": 2,
        "patients_per_batch": 1000,
    }
    return usual | changed


def add(client: Client, ehr: Ehr, **changed: Any) -> Any:
    return client.post(reverse("admin:smartapp_backendclient_add"), entered(ehr, **changed))


def test_an_integrator_registers_a_caller_and_that_is_audited(integrator: Client, ehr: Ehr) -> None:
    assert add(integrator, ehr).status_code == 302
    row = BackendClient.objects.get()
    assert (row.client_id, row.scopes, row.algorithms) == ("night-batch", f"{PREDICT} {SCORE_BATCH}", "RS384 ES384")
    assert AuditEntry.objects.get(action="configure").subject == row.actor


def test_a_caller_that_was_registered_gets_its_token(integrator: Client, ehr: Ehr, settings: Any) -> None:
    settings.BASE_URL = "http://localhost"
    add(integrator, ehr)
    assert Outside(BackendClient.objects.get()).token(PREDICT)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"jwks": ""}, "Either the address of its keys"),
        ({"jwks_url": "https://partner.example.org/jwks"}, "Either the address of its keys"),
        ({"jwks": "{}"}, "No set of public keys"),
        ({"jwks": '{"keys": []}'}, "No set of public keys"),
        ({"scopes": []}, "This field is required"),
        ({"algorithms": ["HS256"]}, "not one of the available choices"),
        ({"jwks": "", "jwks_url": "https://host:99999/jwks"}, "valid URL"),
    ],
)
def test_what_would_not_work_is_refused_in_words(
    integrator: Client, ehr: Ehr, changed: dict[str, Any], said: str
) -> None:
    assert said in add(integrator, ehr, **changed).content.decode()
    assert not BackendClient.objects.exists()


def test_plain_http_is_for_private_networks(integrator: Client, ehr: Ehr) -> None:
    open_address = {"jwks": "", "jwks_url": "http://partner.example.org/jwks"}
    ehr.private_network = False
    ehr.save()
    assert "Not https" in add(integrator, ehr, **open_address).content.decode()
    ehr.private_network = True
    ehr.save()
    assert add(integrator, ehr, **open_address).status_code == 302


def test_the_page_shows_what_a_caller_asked(integrator: Client, ehr: Ehr) -> None:
    row = Outside.registered(ehr).row
    ApiCall.objects.create(client=row, operation="predict", status=429, milliseconds=12.3)
    page = integrator.get(reverse("admin:smartapp_backendclient_change", args=[row.pk])).content.decode()
    assert "predict" in page
    assert "429" in page
    assert "/api/token" in page
    listed = integrator.get(reverse("admin:smartapp_backendclient_changelist")).content.decode()
    assert row.name in listed
    assert integrator.get(reverse("admin:smartapp_apicall_changelist")).status_code == 200


def test_the_page_shows_what_became_of_a_callers_batches(integrator: Client, ehr: Ehr) -> None:
    row = Outside.registered(ehr).row
    asked: dict[str, Any] = {"source": PopulationRun.Source.UPLOAD, "ehr": ehr, "client": row.actor}
    done = open_run(registry.get("diabetes-risk"), **asked)
    PopulationRun.objects.update(state="done", patients=412, scored=371, not_applicable=40, failed=1, finished_at=NOW)
    waits = open_run(registry.get("metformin-renal"), **asked)
    for run in (done, waits):
        Batch.objects.create(client=row, run=run)
    address = reverse("admin:smartapp_backendclient_change", args=[row.pk])
    page = integrator.get(address).content.decode()
    for shown in ("metformin-renal", "Waiting for a worker", "not counted yet", "its end", "Done", "412", "371", "41"):
        assert shown in page
    Batch.objects.update(deleted_at=NOW)
    assert "deleted by the caller" in integrator.get(address).content.decode()


def test_whose_patients_it_asks_about_is_settled_once(integrator: Client, ehr: Ehr) -> None:
    row = Outside.registered(ehr).row
    other = Ehr.objects.create(name="Other", fhir_base="https://other.example.org/fhir")
    address = reverse("admin:smartapp_backendclient_change", args=[row.pk])
    assert integrator.post(address, entered(other, active="")).status_code == 302
    row.refresh_from_db()
    assert (row.ehr, row.active) == (ehr, False)


def test_nobody_deletes_a_caller(integrator: Client, ehr: Ehr) -> None:
    row = Outside.registered(ehr).row
    assert integrator.post(reverse("admin:smartapp_backendclient_delete", args=[row.pk])).status_code == 403


@pytest.mark.parametrize("role", ["auditor", "clinical approver"])
def test_other_roles_look_and_change_nothing(ehr: Ehr, role: str) -> None:
    client = signed_in(role)
    assert client.get(reverse("admin:smartapp_backendclient_changelist")).status_code == 200
    assert add(client, ehr).status_code == 403

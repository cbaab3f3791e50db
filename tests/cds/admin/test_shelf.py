"""A version's page: its figures beside those in use, and what two people or one may do."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from cds.models import AuditEntry, ModelChange
from scoring import shelf
from scoring.models import ModelVersion
from tests.cds.admin.people import signed_in
from tests.cds.shelves import MODEL, draft, renewed

pytestmark = pytest.mark.django_db


@pytest.fixture
def version() -> ModelVersion:
    shelf.forget()
    return draft()


def address(version: ModelVersion) -> str:
    return reverse("admin:scoring_modelversion_change", args=[version.pk])


def send(client: Client, version: ModelVersion, do: str, **given: str) -> int:
    return client.post(address(version), {"do": do, **given}).status_code


def text(client: Client, version: ModelVersion) -> str:
    answer = client.get(address(version))
    assert answer.status_code == 200
    return answer.content.decode()


def in_use() -> str:
    shelf.forget()
    return shelf.active_version(MODEL)


def test_two_people_put_a_version_into_use_and_one_goes_back(version: ModelVersion) -> None:
    before = in_use()
    integrator, approver = signed_in("ina", "integrator"), signed_in("app", "clinical approver")
    assert send(integrator, version, "ask", **{"ask-why": "Better for the old"}) == 302
    page = text(approver, version)
    assert "Better for the old" in page
    assert f"instead of {before}" in page
    assert send(approver, version, "approve", **{"decide-why": "I agree"}) == 302
    assert in_use() == version.version
    assert f"Roll back to {before}" in text(integrator, version)
    assert send(integrator, version, "roll_back", **{"roll_back-why": "Alerts on everybody"}) == 302
    assert in_use() == before
    assert "Alerts on everybody" in text(integrator, version)


def test_figures_stand_beside_those_of_the_version_in_use(version: ModelVersion) -> None:
    page = text(signed_in("aud", "auditor"), version)
    assert f"beside {in_use()} which is in use" in page
    assert "AUROC" in page


def test_a_candidates_figures_from_here_stand_apart_from_those_of_the_survey(version: ModelVersion) -> None:
    page = text(signed_in("aud", "auditor"), renewed())
    assert page.index("How good it is here") < page.index("before it was renewed, elsewhere")
    assert "0.771 [0.700–0.820]" in page
    assert "270 people here, 90 with the label" in page


def test_who_asked_does_not_decide(version: ModelVersion) -> None:
    approver = signed_in("app", "clinical approver")
    send(approver, version, "ask", **{"ask-why": "Better for the old"})
    assert send(approver, version, "approve", **{"decide-why": "I agree"}) == 403
    assert ModelChange.objects.get().verdict == "waiting"


def test_even_a_superuser_edits_adds_and_deletes_nothing(version: ModelVersion) -> None:
    root = signed_in("root", superuser=True)
    assert root.get(reverse("admin:scoring_modelversion_add")).status_code == 403
    assert root.post(reverse("admin:scoring_modelversion_delete", args=[version.pk])).status_code == 403
    assert send(root, version, "", status="approved") == 403
    version.refresh_from_db()
    assert version.status == "draft"


def test_an_auditor_reads_and_changes_nothing(version: ModelVersion) -> None:
    auditor = signed_in("aud", "auditor")
    for do in ("ask", "approve", "roll_back", "retire"):
        assert send(auditor, version, do, **{f"{do}-why": "I want to"}) == 403
    assert not AuditEntry.objects.filter(action__contains="model").exists()


def test_the_lists_lead_to_the_pages(version: ModelVersion) -> None:
    approver = signed_in("app", "clinical approver")
    send(approver, version, "ask", **{"ask-why": "Better for the old"})
    assert approver.get(reverse("admin:scoring_modelversion_changelist")).status_code == 200
    assert approver.get(reverse("admin:cds_modelchange_changelist")).status_code == 200
    row = reverse("admin:cds_modelchange_change", args=[ModelChange.objects.get().pk])
    assert approver.get(row)["Location"] == address(version)

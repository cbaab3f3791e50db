"""What an administrator may not do is refused and written down."""

from __future__ import annotations

import pytest
from django.urls import reverse

from cds.models import AuditEntry, Ehr
from tests.cds.admin.people import signed_in


@pytest.mark.parametrize("page", ["admin:cds_ehr_change", "admin:cds_ehr_switch_off"])
def test_a_page_beyond_somebodys_role_is_a_refusal_on_the_trail(ehr: Ehr, page: str) -> None:
    nobody = signed_in("nobody")
    assert nobody.get(reverse(page, args=[ehr.pk])).status_code == 403
    entry = AuditEntry.objects.get(action="refusal")
    assert (entry.subject, entry.detail) == (page, {"status": 403})
    assert (entry.actor, entry.address) == (f"admin {nobody.session['_auth_user_id']}", "127.0.0.1")


def test_a_page_within_somebodys_role_is_none(ehr: Ehr) -> None:
    assert signed_in("ann", "integrator").get(reverse("admin:cds_ehr_change", args=[ehr.pk])).status_code == 200
    assert not AuditEntry.objects.filter(action="refusal").exists()

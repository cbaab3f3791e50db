"""Administrators read the registry; changing it takes the release or two people."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import RequestFactory

from scoring.admin import ModelVersionAdmin
from scoring.models import ModelVersion

pytestmark = pytest.mark.django_db


def test_even_a_superuser_only_reads(rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = User.objects.create_superuser("root")
    page = ModelVersionAdmin(ModelVersion, admin.site)
    assert page.has_view_permission(request)
    assert not page.has_add_permission(request)
    assert not page.has_change_permission(request)
    assert not page.has_delete_permission(request)


def test_the_artefact_itself_is_not_shown(rf: RequestFactory) -> None:
    assert "artefact" not in ModelVersionAdmin(ModelVersion, admin.site).get_fields(rf.get("/"))

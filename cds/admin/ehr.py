"""EHRs and their services: connected on one guided page, tested, edited, switched off."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path

from cds.admin import pages, stages
from cds.admin.archive import Archive
from cds.admin.forms import EhrForm, EnabledServiceForm
from cds.models import Ehr, EnabledService
from cds.switch import hush


class EnabledServices(admin.StackedInline[EnabledService, Ehr]):
    """A row that is added is silent; from there it is led through its stages."""

    model = EnabledService
    form = EnabledServiceForm
    extra = 0
    can_delete = False
    readonly_fields = ("now", "why_off")

    @admin.display(description="Stage")
    def now(self, row: EnabledService) -> str:
        return stages.link(row) if row.pk else row.get_stage_display()

    @admin.display(description="Switched off")
    def why_off(self, row: EnabledService) -> str:
        return f"{row.off_reason} ({row.off_by}, {row.off_at:%Y-%m-%d %H:%M} UTC)" if row.off_at else ""


@admin.register(Ehr)
class EhrAdmin(admin.ModelAdmin[Ehr]):
    """One page connects a hospital."""

    form = EhrForm
    list_display = ("name", "environment", "fhir_base", "active")
    list_filter = ("active", "environment")
    inlines = (EnabledServices, Archive)
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    fieldsets = (
        (
            None,
            {
                "fields": (
                    *("name", "environment", "active", "fhir_base", "vendor", "fhir_version", "fhir_version_named"),
                    *("private_network", "time_zone", "mrn_system"),
                )
            },
        ),
        (
            "SMART launch",
            {
                "fields": (
                    *("client_kind", "client_id", "new_client_secret", "client_algorithm", "login_origins"),
                    *("standalone", "refresh", "frame_ancestors", "system_client_id"),
                )
            },
        ),
        (
            "CDS Hooks",
            {"fields": ("hook_issuer", "hook_jwks_url", "hook_algorithms", "hook_tenant", "hooks_version")},
        ),
        ("Populations", {"fields": ("population_groups", "file_origins", "export_filters", "crawl_pace")}),
        ("Whose data", {"fields": ("test_patients", "labels_read", "restricted_in_hooks")}),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("connect/", view(partial(pages.connect, self)), name="cds_ehr_connect"),
            path("<int:ehr_id>/connection/", view(partial(pages.connection, self)), name="cds_ehr_connection"),
            path("<int:ehr_id>/switch-off/", view(partial(pages.stop, self)), name="cds_ehr_switch_off"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """There is one way to add an EHR, and it looks before it believes."""
        return redirect("admin:cds_ehr_connect")

    def log_addition(self, request: HttpRequest, obj: Ehr, message: Any) -> Any:
        pages.audit_change(request, obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Ehr, message: Any) -> Any:
        pages.audit_change(request, obj, message)
        return super().log_change(request, obj, message)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """At a test system one person may show what they like; that ends when patients come."""
        super().save_related(request, form, formsets, change)
        if change and "environment" in form.changed_data and not form.instance.is_test:
            ehr = form.instance
            hush(
                ehr, by=pages.approver(request, ehr), why="It was a test system, and patients are cared for there now."
            )

    def has_delete_permission(self, request: HttpRequest, obj: Ehr | None = None) -> bool:
        """An EHR is switched off, not deleted: what was decided for it must stay explainable."""
        return False

"""The admin's list of CDS Hooks calls: metadata and timings, nothing of a patient."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from hooks.models import HookCall
from hooks.prefetched import prefetched


@admin.register(HookCall)
class HookCallAdmin(admin.ModelAdmin[HookCall]):
    list_display = (
        *("received_at", "ehr", "service_id", "hook", "status", "answer", "cards", "suppressed", "took"),
        "prefetched",
    )
    change_list_template = "admin/hooks/hookcall/change_list.html"
    list_filter = ("status", "answer", "ehr", "service_id", "hook", "received_at")

    @admin.display(description="Took", ordering="milliseconds")
    def took(self, row: HookCall) -> str:
        return f"{row.milliseconds:.0f} ms"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: HookCall | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: HookCall | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Above the list: what EHRs prefetch, and what not."""
        return super().changelist_view(request, {**(extra_context or {}), "prefetched": prefetched()})

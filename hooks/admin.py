"""The admin's list of CDS Hooks calls: metadata and timings, nothing of a patient."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from hooks.models import HookCall


@admin.register(HookCall)
class HookCallAdmin(admin.ModelAdmin[HookCall]):
    list_display = (
        *("received_at", "ehr", "service_id", "hook", "status", "answer", "cards", "suppressed", "milliseconds"),
        "prefetched",
    )
    list_filter = ("status", "answer", "ehr", "service_id", "hook", "received_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: HookCall | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: HookCall | None = None) -> bool:
        return False

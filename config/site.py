"""The admin site: Django's, with a first page that says how things stand."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from config import overview
from config.sign_in import SignInForm


class Site(AdminSite):
    """Each part of the overview is for those who may see its rows."""

    site_header = "Bedside"
    site_title = "Bedside"
    index_title = "How things stand"
    site_url = None
    login_form = SignInForm

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        shown: dict[str, Any] = {}
        if request.user.has_perm("cds.view_ehr"):
            shown = {"reached": overview.reached(), "firing": overview.firing(), "aim": overview.AIM_MILLISECONDS}
        if request.user.has_perms(["cds.view_writeback", "cds.view_assessment", "cds.view_feedback"]):
            shown |= {"waiting": overview.waiting()}
        return super().index(request, shown | (extra_context or {}))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        shown = {"oidc": bool(settings.ADMIN_OIDC_ISSUER)}
        return super().login(request, shown | (extra_context or {}))

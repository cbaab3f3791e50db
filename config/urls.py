"""Every URL we answer."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("hooks.urls")),
    path("", include("smartapp.urls")),
    path("admin/oidc/", include("config.sign_in_urls")),
    path("admin/", admin.site.urls),
]
if settings.DEMO_EHR:
    urlpatterns.append(path("demo-ehr/", include("smartapp.demo_ehr.urls")))

"""CDS Hooks 2.0.1: the three paths are fixed by the specification."""

from __future__ import annotations

from django.urls import path

from hooks import views

urlpatterns = [
    path("cds-services", views.Discovery.as_view(), name="discovery"),
    path("cds-services/<str:service_id>", views.Call.as_view(), name="call"),
    path("cds-services/<str:service_id>/feedback", views.FeedbackDoor.as_view(), name="feedback"),
]

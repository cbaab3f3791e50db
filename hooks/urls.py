"""CDS Hooks 2.0.1 fixes the first three paths; the others are the end points of Subscriptions."""

from __future__ import annotations

from django.urls import path

from hooks import notifications, views

urlpatterns = [
    path("cds-services", views.Discovery.as_view(), name="discovery"),
    path("cds-services/<str:service_id>", views.Call.as_view(), name="call"),
    path("cds-services/<str:service_id>/feedback", views.FeedbackDoor.as_view(), name="feedback"),
    path("subscriptions/<str:token>", notifications.Door.as_view(), name="notification"),
    # R4 "Subscription": with a payload, a resource is updated as if the end point were a FHIR base.
    path("subscriptions/<str:token>/<str:kind>/<str:resource_id>", notifications.Door.as_view()),
    path("subscriptions/<str:token>/<str:kind>", notifications.Door.as_view()),
]

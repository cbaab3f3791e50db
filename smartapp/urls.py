"""The SMART doors' addresses, and the public pages."""

from __future__ import annotations

from django.urls import path

from smartapp import closing, pages, views, wrong
from smartapp.launch import views as launch

_ASSESSMENT = "app/<uuid:session_id>/{}/<uuid:assessment_id>"

urlpatterns = [
    path("", pages.front, name="front"),
    path("services/<str:service_id>", pages.service, name="service"),
    path("models/<str:name>", pages.model, name="model"),
    path("jwks.json", pages.jwks, name="jwks"),
    path("launch", launch.launch, name="launch"),
    path("launch/standalone", launch.standalone, name="standalone"),
    path("launch/standalone/<int:ehr_id>", launch.standalone_at, name="standalone-at"),
    path("callback", launch.callback, name="callback"),
    path("app/<uuid:session_id>/", views.page, name="page"),
    path("app/<uuid:session_id>/logout", closing.logout, name="logout"),
    path("app/<uuid:session_id>/reason", views.reason, name="reason"),
    path(_ASSESSMENT.format("answers"), views.part, name="part"),
    path(_ASSESSMENT.format("plots") + "/<slug:name>/<slug:size>/<slug:theme>.svg", views.plot, name="plot"),
    path(_ASSESSMENT.format("save"), views.save, name="save"),
    path(_ASSESSMENT.format("wrong"), wrong.report, name="wrong"),
]

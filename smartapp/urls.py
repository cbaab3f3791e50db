"""The SMART doors' addresses, and the public pages."""

from __future__ import annotations

from django.urls import include, path

from smartapp import calling_off, closing, confirm, model_pages, pages, retract, views, wrong
from smartapp.launch import views as launch

_MODEL = "models/<str:name>/<str:version>"
_ASSESSMENT = "app/<uuid:session_id>/{}/<uuid:assessment_id>"

urlpatterns = [
    path("", include("smartapp.backend.urls")),
    path("", pages.front, name="front"),
    path("services/<str:service_id>", pages.service, name="service"),
    path("models/<str:name>", model_pages.page, name="model"),
    path(_MODEL, model_pages.page, name="model-version"),
    path(f"{_MODEL}/plots/<slug:plot>/<slug:size>/<slug:theme>.svg", model_pages.plot, name="model-plot"),
    path(f"{_MODEL}/card.json", model_pages.as_json, name="model-json"),
    path(f"{_MODEL}/card.md", model_pages.as_markdown, name="model-markdown"),
    path(f"{_MODEL}/source-attributes.csv", model_pages.as_csv, name="model-csv"),
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
    path(_ASSESSMENT.format("call-off"), calling_off.stop, name="call-off"),
    path(_ASSESSMENT.format("confirm"), confirm.vouch, name="confirm"),
    path(_ASSESSMENT.format("retract"), retract.take_back, name="retract"),
    path(_ASSESSMENT.format("wrong"), wrong.report, name="wrong"),
]

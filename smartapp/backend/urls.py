"""The API's addresses."""

from __future__ import annotations

from django.urls import path, re_path

from smartapp.backend import capability, discovery, predict
from smartapp.backend.batch.files import File
from smartapp.backend.batch.kick_off import ScoreBatch
from smartapp.backend.batch.waiting import Waiting
from smartapp.backend.spec import schema

urlpatterns = [
    path(".well-known/smart-configuration", discovery.smart_configuration, name="smart-configuration"),
    path("api/fhir/.well-known/smart-configuration", discovery.smart_configuration),
    path("api/token", discovery.token, name="backend-token"),
    path("api/schema", schema, name="api-schema"),
    path("api/predict", predict.Predict.as_view(), name="predict"),
    path("api/fhir/metadata", capability.metadata, name="api-metadata"),
    path("api/fhir/OperationDefinition/score-batch", capability.operation, name="score-batch-definition"),
    path("api/fhir/$score-batch", ScoreBatch.as_view(), name="score-batch"),
    path("api/fhir/batches/<uuid:batch_id>", Waiting.as_view(), name="batch"),
    path("api/fhir/batches/<uuid:batch_id>/<str:kind>.ndjson", File.as_view(), name="batch-file"),
    re_path(r"^api/", discovery.nothing_here),  # whatever comes after, line ends too
]

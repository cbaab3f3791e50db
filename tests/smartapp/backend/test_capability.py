"""What our FHIR API says of itself, to anybody."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from cds.fhir.write import require_valid
from smartapp.backend.batch.question import _OPTIONS


@pytest.fixture(autouse=True)
def base(settings: Settings) -> None:
    settings.BASE_URL = "https://bedside.example"


def test_the_capability_statement_is_valid_and_names_security_formats_and_the_operation(client: Client) -> None:
    answer = client.get("/api/fhir/metadata")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/fhir+json")
    said = require_valid(answer.json())
    assert (said["kind"], said["fhirVersion"]) == ("instance", "4.0.1")
    assert said["implementation"]["url"] == "https://bedside.example/api/fhir"
    assert {"application/fhir+json", "application/fhir+ndjson"} == set(said["format"])
    (rest,) = said["rest"]
    assert rest["security"]["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    assert rest["security"]["extension"][0]["extension"][0]["valueUri"] == "https://bedside.example/api/token"
    assert [one["name"] for one in rest["operation"]] == ["score-batch"]


def test_the_operations_definition_stands_where_it_is_said_to_and_has_every_parameter(client: Client) -> None:
    (named,) = client.get("/api/fhir/metadata").json()["rest"][0]["operation"]
    said = require_valid(client.get(urlsplit(named["definition"]).path).json())
    assert (said["url"], said["system"]) == (named["definition"], True)
    assert {one["name"] for one in said["parameter"]} == {*_OPTIONS, "input"}

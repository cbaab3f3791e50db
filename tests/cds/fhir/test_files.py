"""Records in files are read as a hook's answers are, only each resource once for all needs."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cds.fhir.files import Chart, charts_in
from cds.fhir.read import Reader
from cds.fhir.versions import names_of
from cds.services.diabetes.service import DiabetesRisk
from smartapp.demo_ehr.cast import read_cast

ZONE = ZoneInfo("America/Chicago")
NEEDS = DiabetesRisk.needs
CAST = list(charts_in(json.dumps({"resourceType": "Bundle", "entry": [{"resource": r} for r in read_cast()]}).encode()))


def reader_of(chart: Chart) -> Reader:
    return Reader(patient_id=chart.id, zone=ZONE, names=frozenset(chart.names))


def hooked(chart: Chart, resource: str) -> bytes:
    """The same resources as the answer to a search."""
    raws = [raw for name in names_of(resource) for raw in chart.resources.get(name, ())]
    return b'{"resourceType":"Bundle","entry":[%b]}' % b",".join(b'{"resource":%b}' % raw for raw in raws)


@pytest.mark.parametrize("chart", CAST, ids=lambda chart: chart.id)
def test_a_file_says_what_a_hook_says(chart: Chart) -> None:
    found = chart.readings(NEEDS, reader_of(chart))
    assert found == {need.key: reader_of(chart).read(need, hooked(chart, need.resource)) for need in NEEDS}


BROKEN: Any = {"resourceType": "Observation", "id": "x", "subject": {"reference": "Patient/ada"}, "valueQuantity": 7}


def ada_with(broken: dict[str, Any]) -> Chart:
    ada = next(chart for chart in CAST if chart.id == "ada")
    resources = {**ada.resources, "Observation": [json.dumps(broken).encode(), *ada.resources["Observation"]]}
    return Chart(id=ada.id, names=ada.names, resources=resources)


def test_what_is_not_of_its_types_shape_is_said_as_of_an_entry_and_the_others_are_read() -> None:
    ada = ada_with(BROKEN)
    found = ada.readings(NEEDS, reader_of(ada))
    assert found == {need.key: reader_of(ada).read(need, hooked(ada, need.resource)) for need in NEEDS}
    assert "$.valueQuantity" in found["hba1c"].issues[0].reason
    assert not any(reading.failed for reading in found.values())


@pytest.mark.parametrize("part", [False, True], ids=["itself", "a component"])
def test_where_the_text_says_what_it_is_about_only_who_asks_for_that_is_told(part: bool) -> None:
    about = {"code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}}
    other = {"code": {"coding": [{"system": "http://loinc.org", "code": "34566-0"}]}, "component": [about]}
    ada = ada_with(BROKEN | (other if part else about))
    found = ada.readings(NEEDS, reader_of(ada))
    told = [key for key, reading in found.items() if "Observation/x" in {issue.source for issue in reading.issues}]
    assert told == ["hba1c"]

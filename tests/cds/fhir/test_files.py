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


def test_what_is_not_of_the_types_shape_spoils_the_needs_of_that_type_alone() -> None:
    broken: Any = {"resourceType": "Observation", "id": "x", "subject": {"reference": "Patient/ada"}, "component": 7}
    ada = next(chart for chart in CAST if chart.id == "ada")
    ada = Chart(id=ada.id, names=ada.names, resources=dict(ada.resources))
    whole = ada.readings(NEEDS, reader_of(ada))
    ada.resources["Observation"] = [json.dumps(broken).encode(), *ada.resources["Observation"]]
    found = ada.readings(NEEDS, reader_of(ada))
    assert {need.resource for need in NEEDS if found[need.key].failed} == {"Observation"}
    assert found["hba1c"].observed == whole["hba1c"].observed
    assert "$.component" in found["hba1c"].issues[0].reason

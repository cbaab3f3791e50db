"""Bulk Data Access as the demo EHR serves it, asked by hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from smartapp.demo_ehr.export import jobs
from smartapp.demo_ehr.grants import access_token
from smartapp.demo_ehr.store import chart_store

BASE = "/demo-ehr/fhir"
PARAMETERS = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "_type", "valueString": "Patient"},
        {"name": "_type", "valueString": "Condition"},
        {"name": "patient", "valueReference": {"reference": "Patient/dara"}},
    ],
}


class Backend:
    """A client with a token for a system."""

    def __init__(self, scope: str) -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {access_token(scope, seconds=60)}"}

    def kick_off(self, path: str, body: Any = None, prefer: str = "respond-async", **query: Any) -> Any:
        headers = {**self.headers, "Prefer": prefer}
        if body is None:
            return self.client.get(f"{BASE}/{path}", query, headers=headers)
        return self.client.post(
            f"{BASE}/{path}", json.dumps(body), content_type="application/fhir+json", headers=headers
        )

    def get(self, url: str, **headers: str) -> Any:
        return self.client.get(urlsplit(url).path, headers={**self.headers, **headers})

    def status_of(self, kicked: Any) -> str:
        assert kicked.status_code == 202, kicked.content
        place = str(kicked["Content-Location"])
        assert jobs.find(place.rpartition("/")[2]).done.wait(20)
        return place

    def manifest(self, kicked: Any) -> Any:
        return self.get(self.status_of(kicked)).json()

    def lines(self, item: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
        answer = self.get(item["url"], **headers)
        assert answer["Content-Type"] == "application/fhir+ndjson"
        content = b"".join(answer.streaming_content)
        return [json.loads(line) for line in (gzip.decompress(content) if headers else content).splitlines()]


@pytest.fixture
def backend() -> Backend:
    return Backend("system/*.rs")


def ids(manifest: Any, backend: Backend, kind: str = "Patient") -> set[str]:
    return {one["id"] for item in manifest["output"] if item["type"] == kind for one in backend.lines(item)}


def test_a_group_is_exported_as_a_manifest_and_files(backend: Backend) -> None:
    manifest = backend.manifest(backend.kick_off("Group/all-patients/$export", _type="Patient,Observation"))
    assert manifest["requiresAccessToken"] is True
    assert {item["type"] for item in manifest["output"]} == {"Patient", "Observation"}
    assert ids(manifest, backend) == {"ada", "bruno", "chen", "dara", "emil", "farah"}
    assert all(item["count"] == len(backend.lines(item)) for item in manifest["output"])
    assert (manifest["deleted"], manifest["error"]) == ([], [])


def test_files_are_zipped_for_who_takes_them_so(backend: Backend) -> None:
    manifest = backend.manifest(backend.kick_off("Patient/$export", _type="Patient"))
    assert len(backend.lines(manifest["output"][0], **{"Accept-Encoding": "gzip"})) == 6


def test_the_system_level_has_what_belongs_to_nobody(backend: Backend) -> None:
    system = backend.manifest(backend.kick_off("$export"))
    patients = backend.manifest(backend.kick_off("Patient/$export"))
    assert {"Practitioner", "Group"} <= {item["type"] for item in system["output"]}
    assert not {"Practitioner", "Group"} & {item["type"] for item in patients["output"]}


def test_parameters_are_taken_by_post_and_may_name_patients(backend: Backend) -> None:
    manifest = backend.manifest(backend.kick_off("Group/all-patients/$export", PARAMETERS))
    assert ids(manifest, backend) == {"dara"}


def test_a_type_filter_is_a_search(backend: Backend) -> None:
    query = "Observation?code=http://loinc.org|2345-7,http://loinc.org|2085-9"
    manifest = backend.manifest(backend.kick_off("Patient/$export", _type="Observation", _typeFilter=query))
    found = [one["code"]["coding"][0]["code"] for item in manifest["output"] for one in backend.lines(item)]
    assert set(found) == {"2345-7", "2085-9"}


def test_what_changed_since_and_what_was_deleted_since(backend: Backend) -> None:
    before = backend.manifest(backend.kick_off("$export", _type="Patient,Condition"))
    gone = chart_store().all("Condition")[0]["id"]
    chart_store().delete("Condition", gone)
    after = backend.manifest(backend.kick_off("$export", _type="Patient,Condition", _since=before["transactionTime"]))
    assert after["output"] == []
    bundles = [one for item in after["deleted"] for one in backend.lines(item)]
    assert [one["entry"][0]["request"]["url"] for one in bundles] == [f"Condition/{gone}"]


def test_what_is_not_supported_is_refused_or_ignored_and_said(backend: Backend) -> None:
    assert backend.kick_off("Patient/$export", _elements="id").status_code == 400
    lenient = backend.kick_off("Patient/$export", prefer="respond-async, handling=lenient", _elements="id")
    manifest = backend.manifest(lenient)
    said = backend.lines(manifest["error"][0])
    assert [issue["severity"] for one in said for issue in one["issue"]] == ["information"]


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("Patient/$export", {"_since": "2026-01-01T00:00:00"}, 400),
        ("Patient/$export", {"_type": "Unicorn"}, 400),
        ("Patient/$export", {"_outputFormat": "text/csv"}, 400),
        ("Patient/$export", {"_typeFilter": "Observation?code=1&_sort=date"}, 400),
        ("Group/nobody/$export", {}, 404),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_at_once(
    backend: Backend, path: str, query: dict[str, str], status: int
) -> None:
    answer = backend.kick_off(path, **query)
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")


def test_an_export_is_asynchronous(backend: Backend) -> None:
    assert backend.kick_off("Patient/$export", prefer="").status_code == 400


def test_types_outside_the_scopes_are_refused_and_not_left_out() -> None:
    narrow = Backend("system/Patient.rs")
    assert narrow.kick_off("Patient/$export", _type="Patient,Condition").status_code == 403
    manifest = narrow.manifest(narrow.kick_off("Patient/$export"))
    assert {item["type"] for item in manifest["output"]} == {"Patient"}
    assert Backend("user/*.rs").kick_off("Patient/$export").status_code == 403


def test_a_deleted_export_is_gone(backend: Backend) -> None:
    kicked = backend.kick_off("Patient/$export", _type="Patient")
    item = backend.manifest(kicked)["output"][0]
    place = backend.status_of(kicked)
    assert backend.client.delete(urlsplit(place).path, headers=backend.headers).status_code == 202
    assert backend.get(place).status_code == 404
    assert backend.get(item["url"]).status_code == 404


def test_open_files_need_no_token_and_take_none(backend: Backend, settings: Settings) -> None:
    settings.DEMO_EHR_OPEN_FILES = True
    manifest = backend.manifest(backend.kick_off("Patient/$export", _type="Patient"))
    assert manifest["requiresAccessToken"] is False
    assert backend.get(manifest["output"][0]["url"]).status_code == 400
    backend.headers = {}
    assert len(backend.lines(manifest["output"][0])) == 6


@pytest.fixture
def population(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    people = [{"resourceType": "Patient", "id": f"p{number}"} for number in range(3)]
    (tmp_path / "Patient.ndjson").write_text("".join(f"{json.dumps(one)}\n" for one in people))
    notes = [
        {"resourceType": "Condition", "id": f"c{one['id']}", "subject": {"reference": f"Patient/{one['id']}"}}
        for one in people
    ]
    with gzip.open(tmp_path / "Condition.ndjson.gz", "wt") as stream:
        stream.write("".join(f"{json.dumps(one)}\n" for one in notes) + "{half a li")
    settings.DEMO_EHR_POPULATION = str(tmp_path)
    chart_store().reset()
    yield tmp_path
    settings.DEMO_EHR_POPULATION = ""
    chart_store().reset()


def test_a_population_in_a_folder_is_a_group_that_is_exported(backend: Backend, population: Path) -> None:
    assert chart_store().read("Group", "population")["quantity"] == 3
    manifest = backend.manifest(backend.kick_off("Group/population/$export", _type="Patient"))
    assert ids(manifest, backend) == {"p0", "p1", "p2"}
    everybody = backend.manifest(backend.kick_off("Patient/$export", _type="Patient"))
    assert len(ids(everybody, backend)) == 9


def test_a_line_of_the_population_that_cannot_be_read_is_said(backend: Backend, population: Path) -> None:
    one = {
        "resourceType": "Parameters",
        "parameter": [{"name": "patient", "valueReference": {"reference": "Patient/p1"}}],
    }
    manifest = backend.manifest(backend.kick_off("Group/population/$export", one))
    assert ids(manifest, backend, "Condition") == {"cp1"}
    assert "line 4 of Condition" in json.dumps(backend.lines(manifest["error"][0]))

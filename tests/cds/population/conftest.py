"""The cast as an EHR would export it: one file of NDJSON a resource type."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from cds import registry
from cds.models import Ehr, PopulationRun
from cds.population import open_run, sweep
from smartapp.demo_ehr.cast import read_cast

THE_CAST = {
    "ada": "model-high",
    "bruno": "model-low",
    "chen": "screening-due",
    "dara": "diagnosed",
    "emil": "child",
    "farah": "prediabetes",
}


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, settings: Settings) -> Path:
    """Where runs keep what they read."""
    settings.BULK_FOLDER = tmp_path / "spool"
    return tmp_path / "spool"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return exported(tmp_path / "bulk", read_cast())


def exported(folder: Path, resources: Iterable[dict[str, Any]]) -> Path:
    """Append to one file a type."""
    folder.mkdir(exist_ok=True)
    for resource in resources:
        with (folder / f"{resource['resourceType']}.ndjson").open("a", encoding="utf-8") as file:
            file.write(json.dumps(resource) + "\n")
    return folder


def of(*people: str) -> list[dict[str, Any]]:
    """Of the cast their records alone."""
    named = {f"Patient/{one}" for one in people}
    place = "{resourceType}/{id}".format_map
    return [one for one in read_cast() if {place(one), one.get("subject", {}).get("reference")} & named]


def asked(folder: Path, ehr: Ehr | None = None, **more: Any) -> PopulationRun:
    """The diabetes service about everybody in the folder, as far as it goes."""
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder), **more)
    for _ in sweep(run, folder):
        pass
    run.refresh_from_db()
    return run


def reasons(run: PopulationRun) -> dict[str, str]:
    """By patient, of those who may be listed."""
    return {row.patient_id.decode(): row.reason for row in run.results.all() if row.patient_id}

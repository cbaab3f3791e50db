"""`manage.py synthesize`: the same seed is the same population, and every resource says that it is a test's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from cds.fhir.files import charts

pytest.importorskip("carebundle", reason="the extra `synthesize` is not installed")

PEOPLE = 40
HTEST = "http://terminology.hl7.org/CodeSystem/v3-ActReason", "HTEST"


def synthesize(folder: Path, seed: int = 7) -> dict[str, bytes]:
    call_command("synthesize", str(PEOPLE), "--seed", str(seed), "--out", str(folder))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def resources(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("*.ndjson") for line in path.read_text().splitlines()]


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    first = synthesize(tmp_path / "first")
    assert first == synthesize(tmp_path / "second")
    assert first["Patient.ndjson"] != synthesize(tmp_path / "third", seed=8)["Patient.ndjson"]
    assert first["Patient.ndjson"].count(b"\n") == PEOPLE


def test_every_resource_is_marked_as_test_data(tmp_path: Path) -> None:
    synthesize(tmp_path / "out")
    found = resources(tmp_path / "out")
    labels = [{(one["system"], one["code"]) for one in resource["meta"]["security"]} for resource in found]
    assert len(found) > PEOPLE
    assert all(HTEST in one for one in labels)


def test_some_were_never_tested_and_all_are_on_a_clinicians_panel(tmp_path: Path) -> None:
    synthesize(tmp_path / "out")
    people = list(charts([tmp_path / "out"]))
    tested = [chart for chart in people if any(b'"4548-4"' in raw for raw in chart.resources["Observation"])]
    clinicians = {one["id"] for one in resources(tmp_path / "out") if one["resourceType"] == "Practitioner"}
    panels = {json.loads(chart.resources["Patient"][0])["generalPractitioner"][0]["reference"] for chart in people}
    assert len(people) == PEOPLE
    assert 0 < len(tested) < PEOPLE / 2
    assert {name.partition("/")[2] for name in panels} < clinicians


def test_nothing_is_written_over(tmp_path: Path) -> None:
    synthesize(tmp_path / "out")
    with pytest.raises(CommandError, match="holds NDJSON already"):
        synthesize(tmp_path / "out")


@pytest.mark.parametrize("count", ["0", "-3"])
def test_nobody_is_no_population(tmp_path: Path, count: str) -> None:
    with pytest.raises(CommandError, match="at least 1"):
        call_command("synthesize", "--out", str(tmp_path), "--", count)

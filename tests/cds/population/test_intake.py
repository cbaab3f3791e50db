"""Every line of every file is accounted for: used, not asked for, or not usable and why."""

from __future__ import annotations

import gzip
import json
import resource
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from cds import registry
from cds.bulk.accounts import LISTED
from cds.models import PopulationRun
from cds.population import open_run, resume, sweep
from cds.population.fold import Asking
from cds.population.intake import (
    CUT_OFF,
    NO_ID,
    NO_SUCH_PATIENT,
    NOBODY,
    NOT_FHIR,
    SAME_PATIENT,
    SAME_RESOURCE,
    Intake,
    types_of,
)
from cds.population.lines import Line
from cds.population.shares import Charts
from cds.population.spool import TOO_LARGE, Contents, Spool
from cds.services.diabetes.service import DiabetesRisk
from cds.spark.executor import Flaw, _charts, _owned
from tests.cds.population.conftest import THE_CAST, asked, reasons

pytestmark = pytest.mark.django_db
State = PopulationRun.State


def line(kind: str, **members: Any) -> bytes:
    return json.dumps({"resourceType": kind, **members}).encode() + b"\n"


def patient(name: str, **members: Any) -> bytes:
    return line("Patient", id=name, birthDate="1970-01-01", **members)


def condition(owner: str) -> bytes:
    return line("Condition", subject={"reference": owner}, code={"text": "x"})


def hba1c(status: str, changed: str) -> bytes:
    """Always the same one, of 9.1 %."""
    coding = [{"system": "http://loinc.org", "code": "4548-4"}]
    return line(
        "Observation",
        id="a1c",
        meta={"lastUpdated": changed},
        status=status,
        code={"coding": coding},
        subject={"reference": "Patient/ada"},
        effectiveDateTime=timezone.now().date().isoformat(),
        valueQuantity={"value": 9.1, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
    )


def flaws(run: PopulationRun) -> list[tuple[str, int, str]]:
    return list(run.flaws.order_by("file", "line").values_list("file", "line", "reason"))


def accounted(run: PopulationRun) -> bool:
    """Do the parts add up, of the lines and of the patients?"""
    for account in run.files.values():
        if account["used"] + sum(account["flaws"].values()) > account["lines"]:
            return False
    return run.done == run.patients == run.results.count()


def test_a_whole_export_has_no_flaw_and_what_nobody_asked_for_is_counted(folder: Path) -> None:
    (folder / "Device.ndjson").write_bytes(line("Device", id="d") * 3)
    run = asked(folder)
    assert accounted(run)
    assert not flaws(run)
    assert run.files["Device.ndjson"] == {"lines": 3, "used": 0, "flaws": {}}
    assert run.files["Patient.ndjson"] == {"lines": 6, "used": 6, "flaws": {}}


def test_each_line_that_cannot_be_used_is_listed_with_its_file_and_the_reason(tmp_path: Path) -> None:
    (tmp_path / "Patient.ndjson").write_bytes(patient("ada") + line("Patient") + patient("bruno")[:-20] + b"\n[]\n")
    (tmp_path / "Condition.ndjson").write_bytes(
        condition("Patient/ada") + condition("Patient/who") + condition("Group/all") + line("Condition", id="c")
    )
    run = asked(tmp_path)
    assert flaws(run) == [
        *(("Condition.ndjson", number, reason) for number, reason in ((2, NO_SUCH_PATIENT), (3, NOBODY), (4, NOBODY))),
        *(("Patient.ndjson", number, reason) for number, reason in ((2, NO_ID), (3, CUT_OFF), (4, NOT_FHIR))),
    ]
    assert run.files["Condition.ndjson"]["used"] == 1
    assert accounted(run)
    assert run.patients == 1


def test_of_many_lines_with_one_flaw_the_first_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(patient("ada") + condition("Patient/who") * (LISTED + 5))
    run = asked(tmp_path)
    assert run.flaws.count() == LISTED
    assert run.files["a.ndjson"]["flaws"] == {NO_SUCH_PATIENT: LISTED + 5}


def test_of_one_patient_in_two_files_the_newest_line_counts_and_the_other_is_named(tmp_path: Path) -> None:
    new, old = {"lastUpdated": "2026-05-02T00:00:00Z"}, {"lastUpdated": "2026-05-01T23:00:00-05:00"}
    (tmp_path / "1.ndjson").write_bytes(patient("ada", meta=new) + patient("bruno"))
    (tmp_path / "2.ndjson").write_bytes(patient("ada", meta=old, deceasedBoolean=True))
    run = asked(tmp_path)
    assert flaws(run) == [("1.ndjson", 1, SAME_PATIENT)]  # four hours later, in Chicago
    assert run.results.count() == run.patients == 2
    assert reasons(run)["ada"] == "deceased"


@pytest.mark.parametrize("first", ["final", "entered-in-error"])
def test_of_one_result_in_two_lines_the_newest_counts_and_what_was_taken_back_is_not_believed(
    first: str, tmp_path: Path
) -> None:
    lines = {"final": hba1c("final", "2026-05-01"), "entered-in-error": hba1c("entered-in-error", "2026-05-02")}
    (tmp_path / "a.ndjson").write_bytes(patient("ada") + lines.pop(first) + next(iter(lines.values())))
    run = asked(tmp_path)
    assert flaws(run) == [("a.ndjson", 2 if first == "final" else 3, SAME_RESOURCE)]
    assert run.files["a.ndjson"]["used"] == 2
    assert accounted(run)
    assert not run.results.filter(alerts=True).exists()


def test_spark_finds_the_same_lines_overtaken(tmp_path: Path) -> None:
    result = Line(1, hba1c("final", "2026-05-01")), Line(2, hba1c("entered-in-error", "2026-05-02"))
    rows = _owned([*result, Line(3, patient("ada"))], 0, types_of(DiabetesRisk.needs), frozenset())
    found, asking = list[Flaw](), Asking(run=open_run(registry.get("diabetes-risk"), detail=str(tmp_path)))
    (chart,) = _charts(rows, asking, found)
    assert found == [Flaw(file=0, line=1, reason=SAME_RESOURCE)]
    assert b"entered-in-error" in chart.resources["Observation"][0]


def test_whatever_stands_in_an_id_or_a_time_the_line_stays_one_line(tmp_path: Path) -> None:
    odd = {"lastUpdated": "yesterday\n\tat noon"}
    (tmp_path / "a.ndjson").write_bytes(
        patient("ada", meta=odd) + line("Condition", id="a\n\tb", meta=odd, subject={"reference": "Patient/ada"})
    )
    run = asked(tmp_path)
    assert (run.state, run.error, run.patients) == (State.DONE, "", 1)
    assert run.files["a.ndjson"] == {"lines": 2, "used": 2, "flaws": {}}


def test_a_patient_without_data_is_answered_too(tmp_path: Path) -> None:
    (tmp_path / "Patient.ndjson").write_bytes(patient("ada"))
    run = asked(tmp_path)
    assert (run.not_enough_data, run.patients) == (1, 1)


def test_versioned_and_absolute_references_find_their_patient(tmp_path: Path) -> None:
    owners = ("Patient/ada", "https://e.example/fhir/Patient/ada", "Patient/ada/_history/3")
    (tmp_path / "a.ndjson").write_bytes(patient("ada") + b"".join(map(condition, owners)))
    run = asked(tmp_path)
    assert run.files["a.ndjson"] == {"lines": 4, "used": 4, "flaws": {}}


def test_archives_and_folders_in_the_folder_are_read(folder: Path) -> None:
    (folder / "deep").mkdir()
    for file in list(folder.glob("*.ndjson")):
        (folder / "deep" / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert asked(folder).patients == 6


def test_a_record_too_large_to_hold_is_said_and_the_others_are_answered(folder: Path) -> None:
    subject, text = {"reference": "Patient/huge"}, "x" * 3_500_000
    large = line("Condition", subject=subject, code={"text": text})
    (folder / "more.ndjson").write_bytes(patient("huge") + large * (1 + TOO_LARGE // len(large)))
    run = asked(folder)
    assert run.results.get(reason="too-large").outcome == "failed"
    assert (run.failed, run.patients) == (1, 7)
    assert accounted(run)


def test_however_the_lines_are_spread_everybody_is_found(folder: Path, tmp_path: Path) -> None:
    intake = Intake(PopulationRun(), DiabetesRisk.needs, folder=folder, spool=tmp_path / "records")
    intake.spool.parts = 4
    for _ in intake:
        pass
    contents = intake.settle()
    everybody = charted(intake.spool, contents, after=0)
    assert sorted(everybody) == sorted(THE_CAST)
    assert len(contents.patients) == 4
    for after in range(7):
        assert charted(intake.spool, contents, after=after) == everybody[after:]


def charted(spool: Spool, contents: Contents, *, after: int) -> list[str]:
    charts = Charts(folder=spool.folder, contents=contents, after=after, size=1)
    return [chart.id for part in charts.parts() for block in charts.blocks(part) for chart in block]


def test_a_file_that_is_packed_otherwise_stops_the_run_and_is_named(folder: Path) -> None:
    (folder / "Condition.ndjson.bz2").write_bytes(b"BZh9")
    run = asked(folder)
    assert run.state == State.FAILED
    assert "Condition.ndjson.bz2 cannot be read: unpack it" in run.error


def test_half_a_character_is_not_called_the_end_of_a_file(tmp_path: Path) -> None:
    wrong = line("Observation", id="o", subject={"reference": "Patient/a"}).replace(b'"o"', rb'"\ud800"')
    folder = tmp_path / "bulk"
    folder.mkdir()
    (folder / "all.ndjson").write_bytes(patient("a") + wrong)
    assert [reason for _, _, reason in flaws(asked(folder))] == ["not FHIR JSON"]


def test_a_folder_without_ndjson_stops_the_run_with_a_sentence(tmp_path: Path) -> None:
    run = asked(tmp_path)
    assert (run.state, run.error) == (State.FAILED, "The folder holds no NDJSON (.ndjson, .ndjson.gz).")


def test_records_that_are_gone_are_read_again_and_the_run_goes_on(folder: Path) -> None:
    run = open_run(registry.get("diabetes-risk"), detail=str(folder))
    for _ in sweep(run, folder, block=2):
        if run.done == 2:
            break
    shutil.rmtree(run.spool)
    for _ in sweep(run, folder, block=2):
        pass
    assert (run.state, run.results.count()) == (State.DONE, 6)


def test_records_that_changed_meanwhile_are_not_mixed_with_the_old(folder: Path) -> None:
    run = open_run(registry.get("diabetes-risk"), detail=str(folder))
    for _ in sweep(run, folder, block=2):
        if run.done == 2:
            break
    shutil.rmtree(run.spool)
    (folder / "more.ndjson").write_bytes(patient("aaron"))
    for _ in sweep(run, folder, block=2):
        pass
    assert run.state == State.FAILED
    assert "no longer what it was" in run.error


def test_a_full_disk_stops_the_run_with_its_reason_and_it_goes_on_when_there_is_room(folder: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    (folder / "more.ndjson").write_bytes(patient("huge") + condition("Patient/huge") * 60_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, before[1]))
    try:
        run = asked(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert run.state == State.FAILED
    assert run.error == "The records could not be read or kept: File too large."
    assert resume(run, why="made room", actor="it")
    for _ in sweep(run, folder):
        pass
    assert accounted(run)

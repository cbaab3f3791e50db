"""Who was asked again by a later run stands on its worklist, and is given out with no older one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cds.models import Ehr, PopulationResult, PopulationRun
from cds.population.overtaken import newest
from cds.population.worklist import Wanted, worklist
from tests.cds.population.conftest import asked, exported, of

MONDAY, TUESDAY = datetime(2026, 4, 6, 9, tzinfo=UTC), datetime(2026, 4, 7, 9, tzinfo=UTC)
EVERYBODY = {"ada", "bruno", "chen", "dara", "emil", "farah"}


@pytest.fixture
def monday(ehr: Ehr, folder: Path) -> PopulationRun:
    return asked(folder, ehr, as_of=MONDAY)


def listed(run: PopulationRun, **wanted: Any) -> set[str]:
    return {bytes(row.patient_id or b"").decode() for row in worklist(run, Wanted(everybody=True, **wanted))}


def test_of_each_person_the_newest_answer_alone_is_listed(monday: PopulationRun, ehr: Ehr, tmp_path: Path) -> None:
    assert (listed(monday), listed(monday, overtaken=True)) == (EVERYBODY, set())
    tuesday = asked(exported(tmp_path / "changed", of("ada", "farah")), ehr, as_of=TUESDAY)
    assert (listed(monday), listed(monday, overtaken=True)) == (EVERYBODY - {"ada", "farah"}, {"ada", "farah"})
    assert listed(tuesday) == {"ada", "farah"}


def test_the_newest_of_several_is_named(monday: PopulationRun, ehr: Ehr, tmp_path: Path) -> None:
    folder = exported(tmp_path / "changed", of("ada"))
    tuesday = asked(folder, ehr, as_of=TUESDAY)
    again = asked(folder, ehr, as_of=TUESDAY)  # of the same moment, and asked for later
    found = newest(worklist(monday, Wanted(everybody=True, overtaken=True)), monday)
    assert [row.run for row in found.values()] == [again]
    assert (listed(tuesday), listed(again)) == (set(), {"ada"})


def test_a_record_of_an_earlier_day_overtakes_nothing_though_it_was_asked_about_later(
    ehr: Ehr, folder: Path, tmp_path: Path
) -> None:
    tuesday = asked(folder, ehr, as_of=TUESDAY)
    monday = asked(exported(tmp_path / "old", of("ada")), ehr, as_of=MONDAY)
    assert (listed(tuesday), listed(monday)) == (EVERYBODY, set())


def test_who_must_not_be_listed_any_more_stands_on_no_list(monday: PopulationRun, ehr: Ehr, tmp_path: Path) -> None:
    tuesday = asked(exported(tmp_path / "changed", of("ada")), ehr, as_of=TUESDAY)
    tuesday.results.update(patient_id=None, outcome=PopulationResult.Outcome.NOT_APPLICABLE, reason="restricted")
    assert listed(monday) == EVERYBODY - {"ada"}


@pytest.mark.parametrize("other", ["failed", "another service", "an outside system", "another EHR", "no EHR"])
def test_what_is_no_newer_answer_of_the_hospital_replaces_none(
    other: str, monday: PopulationRun, ehr: Ehr, tmp_path: Path
) -> None:
    tuesday = asked(exported(tmp_path / "changed", of("ada")), ehr, as_of=TUESDAY)
    runs = PopulationRun.objects.filter(pk=tuesday.pk)
    if other == "failed":
        tuesday.results.update(outcome=PopulationResult.Outcome.FAILED)
    elif other == "another service":
        runs.update(service_id="hypertension-risk")
    elif other == "an outside system":
        runs.update(client="registry")
    elif other == "another EHR":
        runs.update(
            ehr=Ehr.objects.create(name="O", fhir_base="https://o.example/fhir", hook_issuer="https://o.example")
        )
    else:
        runs.update(ehr=None)
    assert listed(monday) == EVERYBODY
    assert listed(PopulationRun.objects.get(pk=tuesday.pk)) <= {"ada"}

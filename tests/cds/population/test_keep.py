"""What becomes of a block of answers beside its rows: merges that the EHR's records tell of are noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds import registry
from cds.models import Ehr, Merge, PopulationRun
from cds.opt_out import opt_out
from cds.population import open_run
from cds.population.fold import Asking
from cds.population.keep import keep
from cds.population.machine import on_this_machine
from tests.cds.population.conftest import exported

Source = PopulationRun.Source
OLD = {
    "resourceType": "Patient",
    "id": "old",
    "link": [{"type": "replaced-by", "other": {"reference": "Patient/ada"}}],
}
GOES_ON = {
    "resourceType": "Patient",
    "id": "new",
    "birthDate": "1960-01-01",
    "link": [{"type": "replaces", "other": {"reference": "Patient/earlier"}}],
}


def kept(folder: Path, ehr: Ehr, source: Source) -> PopulationRun:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=str(folder), source=source)
    asking = Asking(run=run)
    for block in on_this_machine(asking, folder, 256):
        if isinstance(block, list):
            keep(asking, block)
    return run


@pytest.mark.parametrize("source", [Source.EXPORT, Source.CRAWL])
def test_merges_and_partings_of_what_the_ehr_has_given_are_noticed(ehr: Ehr, folder: Path, source: Source) -> None:
    over = Merge.objects.create(ehr=ehr, from_key=ehr.pseudonym("chen"), into_key=ehr.pseudonym("ada"))
    kept(exported(folder, [OLD, GOES_ON]), ehr, source)
    over.refresh_from_db()
    assert over.undone_at is not None
    noticed = Merge.objects.filter(undone_at=None).values_list("from_key", "into_key")
    assert set(noticed) == {
        (ehr.pseudonym("old"), ehr.pseudonym("ada")),
        (ehr.pseudonym("earlier"), ehr.pseudonym("new")),
    }


@pytest.mark.parametrize("source", [Source.UPLOAD, Source.FOLDER])
def test_what_others_sent_or_a_folder_of_some_day_says_nothing_of_today(ehr: Ehr, folder: Path, source: Source) -> None:
    kept(exported(folder, [OLD, GOES_ON]), ehr, source)
    assert not Merge.objects.exists()


def test_a_no_that_comes_along_counts_in_the_same_block(ehr: Ehr, folder: Path) -> None:
    opt_out(ehr, "earlier", actor="a test")
    run = kept(exported(folder, [GOES_ON]), ehr, Source.EXPORT)
    row = run.results.get(pseudonym=ehr.pseudonym("new"))
    assert (row.reason, row.patient_id, row.age, row.assessment) == ("opted-out", None, None, None)

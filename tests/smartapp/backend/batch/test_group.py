"""A group at the caller's EHR, which exports it: only one that an administrator has opened to callers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds import system
from cds.models import Ehr, EnabledService, PopulationRun
from smartapp.backend.scopes import SCORE_BATCH
from smartapp.demo_ehr.cast import read_cast
from tests.bulk_ehr import BulkEhr
from tests.conftest import forget
from tests.serving import serving
from tests.smartapp.backend.batch.asking import THE_CAST, Asking, work
from tests.smartapp.backend.outside import Outside
from tests.smartapp.backend.test_predict import issues

GROUP = json.dumps(
    {"resourceType": "Parameters", "parameter": [{"name": "group", "valueReference": {"reference": "Group/night"}}]}
).encode()


@pytest.fixture
def asking(outside: Outside, spool: Path) -> Iterator[Asking]:
    """At a hospital that exports the cast, and has one group open."""
    forget()
    system.forget()
    with serving(BulkEhr(read_cast())) as server:
        exporting = Ehr.objects.create(
            name="Exporting hospital",
            environment=Ehr.Environment.TEST,
            fhir_base=f"{server.url}/fhir",
            system_client_id="bedside",
            population_groups="night",
            private_network=True,
        )
        EnabledService.objects.create(ehr=exporting, service_id="diabetes-risk", stage=EnabledService.Stage.LIVE)
        yield Asking(Outside.registered(exporting, "At another hospital", scopes=SCORE_BATCH))
    system.forget()


@pytest.mark.parametrize(("content", "query"), [(GROUP, ""), (b"", "?group=night"), (b"", "?group=Group/night")])
def test_everybody_in_a_group_is_asked_about(asking: Asking, content: bytes, query: str) -> None:
    path = asking.begun(content, query=query, kind="application/fhir+json")
    run = PopulationRun.objects.get()
    assert (run.source, run.detail) == (PopulationRun.Source.EXPORT, "night")
    while run.state != PopulationRun.State.DONE:  # an export has to be asked for again and again
        work()
        run.refresh_from_db()
        assert run.state != PopulationRun.State.FAILED, run.error
    assert len(asking.fetched(path)["RiskAssessment"]) == 3
    assert asking.manifest(path)["request"].endswith("?service=diabetes-risk&group=night")


@pytest.mark.parametrize("opened", ["", "day\nevening"])
def test_a_group_that_nobody_opened_is_not_there(asking: Asking, opened: str) -> None:
    Ehr.objects.update(population_groups=opened)
    assert issues(asking.kick_off(b"", query="?group=night"), status=404)
    assert not PopulationRun.objects.exists()


def test_without_access_of_our_own_there_is_no_group(asking: Asking) -> None:
    Ehr.objects.update(system_client_id="")
    assert issues(asking.kick_off(b"", query="?group=night"), status=404)


def test_a_group_and_an_upload_are_two_questions(asking: Asking) -> None:
    assert issues(asking.kick_off(THE_CAST, query="?group=night"))
    assert not PopulationRun.objects.exists()


def test_a_group_with_more_people_than_the_caller_may_ask_about_is_refused_before_anybody_is_asked(
    asking: Asking,
) -> None:
    asking.outside.row.patients_per_batch = 5
    asking.outside.row.save()
    path = asking.begun(b"", query="?group=night")
    run = PopulationRun.objects.get()
    while run.state in PopulationRun.UNDER_WAY:
        work()
        run.refresh_from_db()
    assert "has 6 patients, and 5 are the most" in issues(asking.get(path), status=500)[0]["diagnostics"]
    assert (run.done, run.results.count()) == (0, 0)

"""Where an EHR has no export, ordinary search says the same; at its pace, and about nobody twice."""

from __future__ import annotations

import json
import time

import pytest

from cds.bulk import Fetching
from cds.models import Ehr, PopulationResult, PopulationRun
from cds.population import pause, resume, sweep
from smartapp.demo_ehr.cast import read_cast
from tests.bulk_ehr import BulkEhr, Said
from tests.cds.bulk.conftest import gone_on, opened
from tests.cds.bulk.exports import LATER, PATIENTS, THE_CAST
from tests.cds.population.conftest import reasons

Source, State = PopulationRun.Source, PopulationRun.State


@pytest.fixture
def searched(exporting: Ehr, exporter: BulkEhr) -> Ehr:
    """It answers ordinary searches, as fast as it is asked, and has no export."""
    exporter.searched = {f"{one['resourceType']}/{one['id']}": one for one in read_cast()}
    exporting.crawl_pace = 1000.0
    exporting.save()
    for path in (PATIENTS, "/fhir/$export", "/fhir/Group/some/$export"):
        for method in ("GET", "POST"):
            exporter.next[f"{method} {path}"] = [Said.outcome(404, "not-supported") for _ in range(3)]
    return exporting


def test_the_demo_hospital_says_the_same_by_search_as_by_export(hospital: Ehr) -> None:
    hospital.crawl_pace = 1000.0
    hospital.save()
    by_export, by_search = (gone_on(opened(hospital, source=source)) for source in (Source.EXPORT, Source.CRAWL))
    assert by_search.state == State.DONE
    answers = [
        list(
            run.results.order_by("pseudonym").values_list("pseudonym", "outcome", "reason", "probability", "last_test")
        )
        for run in (by_export, by_search)
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("group", ["", "all-patients"])
def test_a_group_is_those_whom_it_lists(hospital: Ehr, group: str) -> None:
    hospital.crawl_pace = 1000.0
    hospital.save()
    assert reasons(gone_on(opened(hospital, group, source=Source.CRAWL))) == THE_CAST


def test_an_ehr_without_an_export_is_searched_instead(searched: Ehr, exporter: BulkEhr) -> None:
    run = gone_on(opened(searched))
    assert (run.state, run.source, run.error) == (State.DONE, Source.CRAWL, "")
    assert reasons(run) == THE_CAST


def test_whoever_left_the_group_is_not_in_it(searched: Ehr, exporter: BulkEhr) -> None:
    members = [{"entity": {"reference": f"Patient/{one}"}, "inactive": one == "emil"} for one in ("ada", "emil")]
    exporter.searched["Group/some"] = {"resourceType": "Group", "id": "some", "member": members}
    assert set(reasons(gone_on(opened(searched, "some")))) == {"ada"}


def test_the_pace_is_kept(searched: Ehr, exporter: BulkEhr) -> None:
    searched.crawl_pace = 50.0
    searched.save()
    began = time.monotonic()
    gone_on(opened(searched, source=Source.CRAWL))
    requests = sum(asked.path.startswith("/fhir/") for asked in exporter.asked)
    assert requests > 50
    assert time.monotonic() - began > (requests - 5) / 50.0


def test_who_was_read_is_not_read_again(searched: Ehr, exporter: BulkEhr) -> None:
    run = opened(searched, source=Source.CRAWL)
    for step in sweep(run, run.folder):
        if isinstance(step, Fetching) and step.words == "patient 3 of 6":
            assert pause(run, why="lunch", actor="it")
    assert resume(run, why="back", actor="it")
    assert reasons(gone_on(run)) == THE_CAST
    assert {exporter.times("GET", f"/fhir/Patient/{one}") for one in THE_CAST} == {1}


def test_a_storm_of_429_is_waited_out(searched: Ehr, exporter: BulkEhr) -> None:
    exporter.next["GET /fhir/Condition"] = [Said.outcome(429, "throttled", **LATER) for _ in range(2)]
    assert reasons(gone_on(opened(searched, source=Source.CRAWL))) == THE_CAST


def test_a_record_that_is_closed_to_us_is_counted_and_never_taken_for_empty(searched: Ehr, exporter: BulkEhr) -> None:
    exporter.next["GET /fhir/Condition"] = [Said.outcome(403, "forbidden")]  # ada's: the first
    run = gone_on(opened(searched, source=Source.CRAWL))
    assert (run.state, run.patients) == (State.DONE, 6)
    row = run.results.get(pseudonym=searched.pseudonym("ada"))
    assert (row.outcome, row.reason) == (PopulationResult.Outcome.FAILED, "refused by the EHR")


def test_a_search_that_does_not_work_stops_the_run_with_a_reason(searched: Ehr, exporter: BulkEhr) -> None:
    exporter.next["GET /fhir/Condition"] = [Said.outcome(400, "invalid")]
    run = gone_on(opened(searched, source=Source.CRAWL))
    assert (run.state, run.error) == (State.FAILED, "A search that the service needs does not work at the EHR (400).")
    assert resume(run, why="mended", actor="it")
    assert reasons(gone_on(run)) == THE_CAST


def test_a_type_that_was_not_granted_is_unread_and_not_empty(exporting: Ehr, exporter: BulkEhr) -> None:
    scope = "system/Patient.rs system/Condition.rs system/Observation.rs"
    token = {"access_token": "t", "token_type": "bearer", "expires_in": 300, "scope": scope}
    exporter.next["POST /token"] = [Said(body=json.dumps(token).encode())]
    run = gone_on(opened(exporting))
    assert run.state == State.DONE
    assert run.export.kinds == ["Condition", "Observation", "Patient"]
    alerting = run.results.exclude(assessment=None).first()
    assert alerting is not None
    assert alerting.assessment is not None
    assert "medications" in alerting.assessment.context.unread

"""Who leaves what population runs list: everywhere at that EHR, and nowhere else."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from cds import registry
from cds.leaving import leave
from cds.models import Ehr, PopulationResult, PopulationRun
from cds.opt_out import opt_out
from cds.population import open_run
from cds.population.worklist import Wanted, choices, worklist

Left = PopulationResult.Left


@pytest.fixture
def run(ehr: Ehr) -> PopulationRun:
    """Of whom two alert."""
    run = open_run(registry.get("diabetes-risk"), ehr=ehr)
    for one in ("ada", "farah"):
        PopulationResult.objects.create(
            run=run,
            pseudonym=ehr.pseudonym(one),
            patient_id=one.encode(),
            outcome="scored",
            reason=f"of-{one}",
            alerts=True,
        )
    return run


def listed(run: PopulationRun) -> set[str]:
    return {bytes(row.patient_id or b"").decode() for row in worklist(run, Wanted())}


def test_who_opts_out_leaves_the_worklist_and_is_named_no_more(ehr: Ehr, run: PopulationRun) -> None:
    opt_out(ehr, "ada", actor="us")
    assert listed(run) == {"farah"}
    assert [reason for reason, _ in choices(run)["reason"]] == ["of-farah"]
    row = run.results.get(left=Left.OPTED_OUT)
    assert (row.patient_id, row.outcome) == (None, "scored")


def test_under_a_legal_hold_who_it_was_is_kept_and_not_listed(ehr: Ehr, run: PopulationRun, settings: Settings) -> None:
    settings.AUDIT_HOLD = True
    assert leave(ehr, [ehr.pseudonym("ada")], Left.DELETED) == 1
    assert listed(run) == {"farah"}
    assert run.results.get(left=Left.DELETED).patient_id


def test_people_of_another_ehr_stay(ehr: Ehr, run: PopulationRun) -> None:
    other = Ehr.objects.create(name="Other", fhir_base="https://o.example/fhir", hook_issuer="https://o.example")
    assert leave(other, [ehr.pseudonym("ada")], Left.DELETED) == 0
    assert listed(run) == {"ada", "farah"}

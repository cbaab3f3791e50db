"""The pages of an experiment: write it, see its size, decide, start, stop; no result before it is due."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from cds.experiments import steer
from cds.models import AuditEntry, EnabledService, Experiment
from config import overview
from tests.cds.admin.people import signed_in
from tests.cds.experiments.test_report import enrol
from tests.cds.experiments.trial import ANN, INA, elsewhere, met, running

WRITTEN = {
    "question": "Does the card lead to more tests?",
    "form": "withheld",
    "threshold": "10",
    "unit": "patient",
    "places": "",
    "share": "50",
    "metric": "tested",
    "days": "30",
    "baseline": "70",
    "difference": "-50",
    "cluster": "1",
    "icc": "0.05",
    "looks": "2",
    "why": "The board has asked",
}


@pytest.fixture
def here(db: None) -> EnabledService:
    return elsewhere()


def write(client: Client, here: EnabledService, do: str, **changed: str) -> Any:
    versions = EnabledService.objects.get(pk=here.pk)
    from cds.scorecard import in_force

    given = {**WRITTEN, "model_version": in_force(versions).model, "do": do, **changed}
    return client.post(reverse("admin:cds_enabledservice_experiment", args=[here.pk]), given)


def address(experiment: Experiment) -> str:
    return reverse("admin:cds_experiment_change", args=[experiment.pk])


def text(client: Client, experiment: Experiment) -> str:
    answer = client.get(address(experiment))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_two_people_agree_on_it_and_it_is_started_and_stopped(here: EnabledService) -> None:
    ina, ann = signed_in("ina", "integrator"), signed_in("ann", "clinical approver")
    assert write(ina, here, "ask").status_code == 302
    experiment = Experiment.objects.get()
    assert "somebody else decides" in text(ina, experiment)
    decide = next(one for one in overview.waiting() if one.what == "Experiments to decide on")
    assert decide.count == 1
    assert ann.post(address(experiment), {"do": "approve", "decide-why": "I agree"}).status_code == 302
    assert "approved, not started" in text(ann, experiment)
    assert ina.post(address(experiment), {"do": "start", "start-why": "As agreed"}).status_code == 302
    assert "No result yet" in text(ina, experiment)
    assert ina.post(address(experiment), {"do": "stop", "stop-why": "Complaints from the wards"}).status_code == 302
    shown = text(ina, experiment)
    assert "It ended early" in shown
    assert "Complaints from the wards" in shown


def test_the_size_is_worked_out_and_nothing_is_asked(here: EnabledService) -> None:
    shown = write(signed_in("ina", "integrator"), here, "size").content.decode()
    assert "patients</strong> of both ways together" in shown
    assert not Experiment.objects.exists()


def test_departments_are_named_and_which_is_drawn_is_shown_once_it_runs(here: EnabledService) -> None:
    ina = signed_in("ina", "integrator")
    wards = "Location/a\r\nLocation/b\r\n\r\n Location/c\r\nOrganization/d "
    asked = write(ina, here, "ask", unit="place", places=wards, cluster="50", icc="0.01")
    assert asked.status_code == 302, asked.content.decode()
    experiment = Experiment.objects.get()
    assert "drawn when it starts: Location/a, Location/b, Location/c, Organization/d" in text(ina, experiment)
    steer.approve(experiment, by=ANN, why="I agree")
    steer.start(experiment, by=INA, why="As agreed")
    shown = text(ina, experiment)
    assert "drawn by the department" in shown
    assert re.search(r"in force: \S+, \S+; the other way: \S+, \S+<", shown)
    met(experiment, "nowhere", arm="")
    assert "1 was met in none of the departments, or nobody could tell where" in text(ina, experiment)


def test_what_cannot_be_is_said_on_the_form(here: EnabledService) -> None:
    shown = write(signed_in("ina", "integrator"), here, "ask", metric="accepted").content.decode()
    assert "cannot be judged" in shown
    assert not Experiment.objects.exists()


def test_who_only_looks_asks_for_nothing_and_starts_nothing(here: EnabledService) -> None:
    experiment, aud = running(here), signed_in("aud", "auditor")
    assert write(aud, here, "ask").status_code == 403
    assert aud.post(address(experiment), {"do": "stop", "stop-why": "I want to"}).status_code == 403
    assert "Stop now" not in text(aud, experiment)


def test_a_result_comes_when_it_is_due_and_an_unplanned_look_is_marked(here: EnabledService) -> None:
    experiment, ina = running(here, baseline=0.7, difference=-0.5, looks=2), signed_in("ina", "integrator")
    enrol(experiment, 6)
    assert "points [" not in text(ina, experiment)
    assert ina.post(address(experiment), {"do": "peek", "peek-why": "The board is curious"}).status_code == 302
    shown = text(ina, experiment)
    assert "Looked without a plan" in shown
    assert "The board is curious" in shown
    enrol(experiment, experiment.protocol.size, tested=(8, 1))
    shown = text(ina, experiment)
    assert "By the rule that was written down this is a difference." in shown
    assert 'src="data:image/svg+xml' in shown


def test_a_protocol_that_somebody_changed_in_the_database_is_said(here: EnabledService) -> None:
    experiment = running(here)
    Experiment.objects.filter(pk=experiment.pk).update(written=experiment.written | {"metric": "found"})
    assert "not the one that was approved" in text(signed_in("aud", "auditor"), experiment)


def test_the_stage_page_leads_to_what_runs(here: EnabledService) -> None:
    experiment, ina = running(here), signed_in("ina", "integrator")
    shown = ina.get(reverse("admin:cds_enabledservice_stage", args=[here.pk])).content.decode()
    assert address(experiment) in shown


def test_who_opens_the_list_of_patients_on_whom_a_shadow_differs_is_audited(here: EnabledService) -> None:
    from tests.cds.assessed import by_model
    from tests.cds.experiments.trial import met

    shadow = running(here, form="shadow", metric="alerts", baseline=0.9, difference=0.8)
    for number in range(shadow.protocol.size):
        row = met(shadow, f"patient {number}", arm="standing", outcome=by_model(0.05))
        twin = met(shadow, f"twin {number}", arm="standing", outcome=by_model(0.3), days=0)
        row.twin = twin.assessment
        twin.delete()
        row.save()
    shown = text(signed_in("aud", "auditor"), shadow)
    assert f"in only the other way: {shadow.protocol.size}" in shown
    assert AuditEntry.objects.get(action="list-alerts").subject == f"experiment {shadow.pk}"

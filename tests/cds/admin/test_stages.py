"""The stage page: it says what will happen, asks why, and lets nobody go up alone."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from cds.models import Assessment, AuditEntry, Ehr, EnabledService, PopulationResult, PopulationRun, StageChange
from scoring import shelf
from tests.cds.admin.people import signed_in
from tests.cds.assessed import assessed, by_model

NOT_YET = "The board has seen our own evaluation of last year."


@pytest.fixture
def here(db: None) -> EnabledService:
    shelf.forget()
    ehr = Ehr.objects.create(name="St. Elsewhere", fhir_base="https://elsewhere.example/fhir")
    return EnabledService.objects.create(ehr=ehr, service_id="diabetes-risk")


def address(here: EnabledService) -> str:
    return reverse("admin:cds_enabledservice_stage", args=[here.pk])


def send(client: Client, here: EnabledService, do: str, **given: str) -> int:
    return client.post(address(here), {"do": do, **given}).status_code


def ask(client: Client, here: EnabledService) -> int:
    return send(client, here, "ask", **{"ask-to": "canary", "ask-percent": "20", "ask-why": "The board agreed"})


def text(client: Client, here: EnabledService) -> str:
    answer = client.get(address(here))
    assert answer.status_code == 200
    return answer.content.decode()


def test_two_people_raise_a_stage(here: EnabledService) -> None:
    integrator, approver = signed_in("ina", "integrator"), signed_in("app", "clinical approver")
    assert ask(integrator, here) == 302
    assert "somebody else decides" in text(integrator, here)
    page = text(approver, here)
    assert "<strong>ina</strong> asked" in page
    assert "The board agreed" in page
    assert "0 of at least 300 assessments" in page
    assert send(approver, here, "approve", **{"decide-why": "I agree", "decide-exception": NOT_YET}) == 302
    here.refresh_from_db()
    assert (here.stage, here.canary_percent) == ("canary", 20)
    assert NOT_YET in text(approver, here)
    assert [entry.action for entry in AuditEntry.objects.order_by("pk") if "stage" in entry.action] == [
        *("ask-stage", "raise-stage")
    ]


def test_without_an_exception_the_approval_is_refused_in_words(here: EnabledService) -> None:
    ask(signed_in("ina", "integrator"), here)
    approver = signed_in("app", "clinical approver")
    answer = approver.post(address(here), {"do": "approve", "decide-why": "I agree"})
    assert "Say why it need not be" in answer.content.decode()
    here.refresh_from_db()
    assert here.stage == "silent"


def test_a_superuser_without_the_role_decides_nothing(here: EnabledService) -> None:
    """The emergency account is one, and anybody may have opened it."""
    ask(signed_in("ina", "integrator"), here)
    root = signed_in("root", superuser=True)
    assert send(root, here, "approve", **{"decide-why": "I agree", "decide-exception": NOT_YET}) == 403
    assert "Somebody with the role" in text(root, here)


def test_an_approver_may_ask_but_not_decide_on_that(here: EnabledService) -> None:
    approver = signed_in("app", "clinical approver")
    assert ask(approver, here) == 302
    assert send(approver, here, "approve", **{"decide-why": "I agree", "decide-exception": NOT_YET}) == 403
    assert send(approver, here, "withdraw") == 302
    assert StageChange.objects.get().verdict == "withdrawn"


def test_an_auditor_reads_and_changes_nothing(here: EnabledService) -> None:
    auditor = signed_in("aud", "auditor")
    assert "Scorecard" in text(auditor, here)
    assert ask(auditor, here) == 403
    assert send(auditor, here, "lower", **{"lower-to": "off", "lower-why": "I want to"}) == 403
    assert send(auditor, here, "nonsense") == 403


def test_one_person_steps_down(here: EnabledService) -> None:
    EnabledService.objects.update(stage="live")
    integrator = signed_in("ina", "integrator")
    assert send(integrator, here, "lower", **{"lower-to": "silent", "lower-why": "Too many alerts"}) == 302
    here.refresh_from_db()
    assert here.stage == "silent"
    assert "Too many alerts" in text(integrator, here)


def test_a_stage_out_of_reach_is_refused(here: EnabledService) -> None:
    integrator = signed_in("ina", "integrator")
    given = {"do": "ask", "ask-to": "live", "ask-why": "The board agreed"}
    assert "not one of the available choices" in integrator.post(address(here), given).content.decode()
    assert not StageChange.objects.exists()


def test_a_service_that_is_not_installed_any_more_can_still_be_stepped_down(here: EnabledService) -> None:
    EnabledService.objects.update(service_id="gone", stage="live")
    integrator = signed_in("ina", "integrator")
    assert "not installed any more" in text(integrator, here)
    assert send(integrator, here, "lower", **{"lower-to": "off", "lower-why": "It is gone"}) == 302


# --- What another threshold would do -------------------------------------------------------------------------------
def what_if(here: EnabledService, **given: str | int) -> str:
    auditor = signed_in("aud", "auditor")
    answer = auditor.get(reverse("admin:cds_enabledservice_alerts", args=[here.pk]), given)
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_is_counted_drawn_and_says_who_would_be_alerted_on(here: EnabledService) -> None:
    assessed(here, by_model(0.3), by_model(0.07), by_model(0.02))
    page = what_if(here, whom="30", threshold=5)
    assert "<strong>2.0 alerts a day</strong>" in page
    assert 'src="data:image/svg+xml' in page
    for row in Assessment.objects.all():
        address = reverse("admin:cds_assessment_change", args=[row.pk])
        assert (address in page) == (row.patient_key != "patient 2")
    entry = AuditEntry.objects.get(action="list-alerts")
    assert (entry.ehr, entry.subject, entry.detail["listed"]) == (here.ehr, "diabetes-risk", 2)


def test_before_it_is_asked_nobody_is_listed(here: EnabledService) -> None:
    assessed(here, by_model(0.3))
    assert "Who would be alerted on" not in what_if(here)
    assert not AuditEntry.objects.filter(action="list-alerts").exists()


@pytest.mark.parametrize("threshold", ["0", "150", "ten"])
def test_a_threshold_that_is_none_is_refused(here: EnabledService, threshold: str) -> None:
    assert "errorlist" in what_if(here, whom="30", threshold=threshold)


def test_of_nobody_there_is_nothing_to_count(here: EnabledService) -> None:
    assert "Nobody was assessed" in what_if(here, whom="7", threshold=5)


def test_the_models_own_figures_need_nobody_here(here: EnabledService) -> None:
    page = what_if(here, whom="validation", threshold=10, a_day=200)
    assert "alerts a day</strong> at 200 patients a day" in page
    assert "9578 people of 2011-2012, 2013-2014" in page
    assert "Who would be alerted on" not in page


def test_a_finished_population_run_can_be_chosen(here: EnabledService) -> None:
    run = PopulationRun.objects.create(
        ehr=here.ehr, service_id="diabetes-risk", threshold=0.1, state="done", patients=2
    )
    for number, probability in enumerate((0.3, 0.02)):
        high = {"reason": "model-high", "alerts": True} if number == 0 else {"reason": "model-low"}
        PopulationResult.objects.create(
            run=run, pseudonym=f"swept {number}", outcome="scored", probability=probability, **high
        )
    page = what_if(here, whom=f"run {run.pk}", threshold=10, a_day=50)
    assert "<strong>25.0 alerts a day</strong> at 50 patients a day" in page
    assert "swept 0" in page


def test_another_hospitals_run_cannot(here: EnabledService) -> None:
    other = Ehr.objects.create(name="Other", fhir_base="https://o.example/fhir")
    run = PopulationRun.objects.create(ehr=other, service_id="diabetes-risk", threshold=0.1, state="done")
    assert "errorlist" in what_if(here, whom=f"run {run.pk}", threshold=10)


def test_a_test_system_that_becomes_a_hospital_starts_silent(ehr: Ehr) -> None:
    page, integrator = reverse("admin:cds_ehr_change", args=[ehr.pk]), signed_in("ina", "integrator")
    shown = integrator.get(page).context
    given = {name: value for name, value in shown["adminform"].form.initial.items() if value}
    for rows in shown["inline_admin_formsets"]:
        given |= {f"{rows.formset.prefix}-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    given["environment"] = "production"
    assert integrator.post(page, given).status_code == 302
    assert set(ehr.services.values_list("stage", flat=True)) == {"silent"}
    assert StageChange.objects.filter(ehr=ehr, after="silent").count() == ehr.services.count()

"""The page of a drift report: alarms first, every figure with its doubt; putting aside takes a role and a note."""

from __future__ import annotations

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from cds import watch
from cds.models import AuditEntry, Ehr
from config import overview
from scoring.models import DriftReport, Prediction
from tests.cds.admin.test_feedback import signed_in
from tests.cds.answered import production
from tests.cds.test_watch import asked, many


@pytest.fixture
def report(ehr: Ehr) -> DriftReport:
    """A glucose that is gone since yesterday, and outcomes of a hundred people of before."""
    real = production(ehr)
    many(real, 60, days=70)
    draw = np.random.default_rng(4)
    for number in range(150):
        row = asked(real, f"tested {number}", days=40, label=bool(draw.random() < 0.4))
        Prediction.objects.filter(pk=row.pk).update(probability=float(draw.uniform(0.1, 0.7)))
    many(real, 40, days=3)
    many(real, 12, days=1, glucose=None)
    return watch.watch_all()[0]


def address(report: DriftReport) -> str:
    return reverse("admin:scoring_driftreport_change", args=[report.pk])


def text(client: Client, report: DriftReport) -> str:
    answer = client.get(address(report))
    assert answer.status_code == 200
    return answer.content.decode()


def alarms_waiting() -> int:
    return next(one.count for one in overview.waiting() if one.what == "Alarms about models")


def test_alarms_come_first_in_words(report: DriftReport) -> None:
    shown = text(signed_in("Ada", "auditor"), report)
    assert "glucose is suddenly empty" in shown
    assert "Demo hospital" in shown
    assert shown.count('src="data:image/svg+xml') == 3


def test_the_course_of_the_drift_needs_a_second_look(report: DriftReport) -> None:
    assert "PSI of each column at" not in text(signed_in("Ada", "auditor"), report)
    again = watch.watch_all()[0]
    shown = text(signed_in("Bo", "auditor"), again)
    assert shown.count("PSI of each column at 2 looks") == 2
    assert "of glucose." in shown


def test_figures_are_shown_with_what_verification_bias_does_to_them(report: DriftReport) -> None:
    shown = text(signed_in("Ada", "auditor"), report)
    assert "Weighted to all" in shown
    assert "not drawn by lot" in shown


def test_an_alarm_waits_on_the_first_page_until_somebody_puts_it_aside(report: DriftReport) -> None:
    assert alarms_waiting() == 1
    ina = signed_in("Ina", "integrator")
    assert ina.post(address(report), {"note": "The laboratory's interface was down"}).status_code == 302
    assert alarms_waiting() == 0
    assert "The laboratory&#x27;s interface was down" in text(ina, report)
    assert AuditEntry.objects.get(action="acknowledge-drift").detail["reason"].startswith("The laboratory")


def test_putting_aside_needs_a_note(report: DriftReport) -> None:
    signed_in("Ina", "integrator").post(address(report), {"note": ""})
    assert alarms_waiting() == 1


def test_who_only_looks_puts_nothing_aside(report: DriftReport) -> None:
    assert signed_in("Ada", "auditor").post(address(report), {"note": "seen, all is well"}).status_code == 403
    assert alarms_waiting() == 1


def test_five_people_without_an_outcome_are_a_page_that_says_so(ehr: Ehr) -> None:
    many(production(ehr), 5, days=1)
    shown = text(signed_in("Ada", "auditor"), watch.watch_all()[0])
    assert "too few to compare" in shown
    assert "No outcome is known yet" in shown


def test_the_list_shows_what_waits(report: DriftReport) -> None:
    listed = signed_in("Ada", "auditor").get(f"{reverse('admin:scoring_driftreport_changelist')}?waiting__exact=1")
    assert "1 drift report" in listed.content.decode()

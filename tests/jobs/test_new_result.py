"""The whole line of a new result: it arrives at the demo hospital, Bedside is told, asks again, and the chart says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from django.test import Client
from django.utils import timezone

from cds import system, tasks
from cds.context import PatientContext
from cds.models import Assessment, AuditEntry, Ehr, Rescoring, Subscription
from config.demo import hear_of_results
from smartapp.demo_ehr.store import chart_store
from tests.cds.notified.test_subscribe import until
from tests.conftest import finished

HERE = Client(SERVER_NAME="localhost")
CHART = "/demo-ehr/chart/ada"
AS_PART = {"X-Requested-With": "fetch"}


@pytest.fixture
def told(hospital: Ehr) -> Iterator[Subscription]:
    """As `manage.py demo` leaves it."""
    system.forget()
    row = hear_of_results(hospital)
    until(lambda: there() == "active")
    yield row
    system.forget()
    chart_store().reset()


def there() -> str:
    (found,) = chart_store().all("Subscription")
    return str(found["status"])


def arrives(test: str, value: str) -> str:
    answer = HERE.post(f"{CHART}/arrive", {"test": test, "value": value}, headers=AS_PART)
    assert answer.status_code == 200
    return str(answer.content.decode())


def what_became_of_it() -> str:
    newest = chart_store().all("Observation")[-1]["id"]
    return str(HERE.get(f"{CHART}/arrive/{newest}", headers=AS_PART).content.decode())


def cards() -> str:
    return str(HERE.post(f"{CHART}/hook", headers=AS_PART).content.decode())


def asked_again(ehr: Ehr) -> Assessment:
    """Beat comes by, and again when the half minute for the rest of a panel is over."""
    until(lambda: Subscription.objects.exclude(due_at=None).exists())
    tasks.follow_up()
    until(lambda: Rescoring.objects.exclude(due_at=None).exists())
    Rescoring.objects.update(due_at=timezone.now())
    tasks.follow_up()
    noted = until(lambda: AuditEntry.objects.filter(action="rescore", ehr=ehr).first())
    return finished(Assessment.objects.get(pk=noted.subject))


def of_the_patient(assessment: Assessment) -> PatientContext:
    """The facts without the visit in which a hook asked, and without the second."""
    return msgspec.structs.replace(assessment.context, encounter_id=None, now=datetime.max.replace(tzinfo=UTC))


def test_it_is_told_asked_about_again_and_the_chart_shows_the_card_afresh(told: Subscription) -> None:
    assert "No HbA1c on record" in cards()
    said = arrives("hba1c-percent", "7,1")
    assert "HbA1c 7.1 %" in said
    assert "data-again" in said
    answer = asked_again(told.ehr)
    until(lambda: "Bedside was told." in what_became_of_it())
    assert "Bedside looked at this chart by itself at" in what_became_of_it()
    assert "data-news" in what_became_of_it()
    assert "HbA1c 7.1 %" in cards()
    shown = Assessment.objects.filter(service_id=answer.service_id).latest("created_at")
    assert of_the_patient(shown) == of_the_patient(answer)


def test_the_hospital_is_asked_by_the_topic_that_it_announces_and_again_after_a_restart(told: Subscription) -> None:
    assert told.style == Subscription.Style.BACKPORT
    chart_store().reset()
    again = hear_of_results(told.ehr)
    assert list(Subscription.objects.all()) == [again]
    until(lambda: there() == "active")


@pytest.mark.parametrize(("test", "value"), [("hba1c-percent", "high"), ("hba1c-percent", ""), ("mood", "7")])
def test_what_is_no_result_is_not_entered(hospital: Ehr, test: str, value: str) -> None:
    before = len(chart_store().all("Observation"))
    assert "Not entered" in arrives(test, value)
    assert len(chart_store().all("Observation")) == before


def test_where_nobody_asked_to_be_told_the_chart_says_so(hospital: Ehr) -> None:
    assert "No app has asked to be told" in arrives("glucose-moles", "7.2")

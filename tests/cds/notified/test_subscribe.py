"""The whole line against the demo hospital: asked for, told of, asked about again, written back; renewed and ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from fhir.resources import subscription

from cds import assess, writeback
from cds.errors import FhirError
from cds.fhir.subscription import by_r5_topic
from cds.models import Assessment, Ehr, EnabledService, Rescoring, Subscription, WriteBack
from cds.notified import due_rescorings, due_subscriptions, follow, renew, rescore
from cds.notified.subscribe import ask, end, listen
from smartapp.demo_ehr.courier import courier
from smartapp.demo_ehr.store import chart_store
from smartapp.demo_ehr.subscriptions import BACKPORT, TOPIC
from tests.cds.notified.notices import measured

SECONDS = 30
State, Style = Subscription.State, Subscription.Style


def until(met: Callable[[], Any]) -> Any:
    """What comes from another thread is looked for until it is there."""
    deadline = time.monotonic() + SECONDS
    position = chart_store().position
    while not (found := met()):
        assert time.monotonic() < deadline, "it never came"
        _, position = chart_store().written_since(position, wait=0.05)
    return found


def listening(ehr: Ehr, style: Subscription.Style, *, version: str = "") -> Subscription:
    """Asked for by us; with `version`, as the EHR's people enter it, who want notifications in that version."""
    row = Subscription(ehr=ehr, style=style, topic=TOPIC if style == Style.BACKPORT else "")
    values = listen(row, actor="somebody")
    if version:
        row = entered(row, values, version)
    else:
        ask(row, values)
    until(lambda: stored(row).state == State.ACTIVE or there(row)["status"] == "active")
    return stored(row)


def entered(row: Subscription, values: Any, version: str) -> Subscription:
    channel = {
        "type": "rest-hook",
        "endpoint": values.endpoint,
        "header": [values.header],
        "payload": f"application/fhir+json; fhirVersion={version}",
        "_payload": {"extension": [{"url": f"{BACKPORT}/backport-payload-content", "valueCode": "full-resource"}]},
    }
    made = {"resourceType": "Subscription", "status": "requested", "reason": "x", "criteria": TOPIC, "channel": channel}
    courier().start()
    chart_store().create(made, author="hospital")
    return row


def stored(row: Subscription) -> Subscription:
    return Subscription.objects.select_related("ehr").get(pk=row.pk)


def there(row: Subscription) -> Any:
    (found,) = chart_store().all("Subscription")
    return found


WAYS = [(Style.SEARCH, ""), (Style.BACKPORT, ""), (Style.BACKPORT, "4.0"), (Style.BACKPORT, "4.3"), (Style.R5, "5.0")]


@pytest.mark.parametrize(("style", "version"), WAYS)
def test_a_new_result_at_the_hospital_is_scored_and_written_back(
    hospital: Ehr, style: Subscription.Style, version: str
) -> None:
    EnabledService.objects.filter(ehr=hospital, service_id="diabetes-risk").update(write_back="auto")
    row = listening(hospital, style, version=version)
    measured("ada", value=7.4)
    until(lambda: stored(row).due_at or Rescoring.objects.exists())
    for pk in due_subscriptions():
        follow(pk)
    owed = Rescoring.objects.get(patient_key=hospital.pseudonym("ada"))
    Rescoring.objects.exclude(pk=owed.pk).delete()
    Rescoring.objects.update(due_at=timezone.now())
    (answer,) = rescore(due_rescorings()[0])
    assess.assess(answer)
    writeback.automatic(Assessment.objects.filter(pk=answer))
    for waiting in WriteBack.objects.filter(assessment__pk=answer, target="chart"):
        writeback.resume(waiting.pk)
    assert Assessment.objects.get(pk=answer).status == "done"
    assert WriteBack.objects.get(assessment__pk=answer, target="chart").status == "sent"
    assert stored(row).state == State.ACTIVE


def test_it_is_asked_for_until_a_day_and_known_by_its_id(hospital: Ehr) -> None:
    row = listening(hospital, Style.BACKPORT)
    kept = there(row)
    assert row.remote_id == kept["id"]
    assert row.ends_at is not None
    assert kept["channel"]["_payload"]["extension"][0]["valueCode"] == "id-only"
    assert "4548-4" in str(kept["_criteria"])


def test_it_ends_at_the_hospital_too(hospital: Ehr) -> None:
    row = listening(hospital, Style.SEARCH)
    assert end(row, actor="somebody") == ""
    assert chart_store().all("Subscription") == []
    assert not Subscription.objects.exists()


def test_what_is_gone_there_ends_here(hospital: Ehr) -> None:
    row = listening(hospital, Style.SEARCH)
    chart_store().delete("Subscription", row.remote_id)
    assert end(row, actor="somebody") == ""


def test_where_the_hospital_cannot_be_reached_its_people_are_named(hospital: Ehr) -> None:
    row = listening(hospital, Style.SEARCH)
    Ehr.objects.update(fhir_base="http://127.0.0.1:9/fhir")
    assert "ask its people" in end(stored(row), actor="somebody")


def test_a_hospital_that_refuses_is_told_apart_from_one_that_was_asked(hospital: Ehr) -> None:
    row = Subscription(ehr=hospital, style=Style.BACKPORT, topic="https://else.example/topic")
    values = listen(row, actor="somebody")
    with pytest.raises(FhirError):
        ask(row, values)
    assert stored(row).remote_id == ""


@pytest.mark.parametrize(("state", "left"), [(State.ERROR, timedelta(days=20)), (State.ACTIVE, timedelta(days=2))])
def test_before_it_ends_and_after_an_error_it_is_asked_for_again(
    hospital: Ehr, state: Subscription.State, left: timedelta
) -> None:
    row = listening(hospital, Style.BACKPORT)
    Subscription.objects.update(state=state, ends_at=timezone.now() + left, due_at=None)
    renew()
    now = stored(row)
    assert now.ends_at is not None
    assert now.ends_at > timezone.now() + timedelta(days=29)
    assert now.search_due
    assert now.due_at is not None
    until(lambda: stored(row).state == State.ACTIVE)
    until(lambda: there(row)["status"] == "active")


def test_what_cannot_be_asked_for_again_is_in_error_and_says_why(hospital: Ehr) -> None:
    row = listening(hospital, Style.SEARCH)
    chart_store().delete("Subscription", row.remote_id)
    Subscription.objects.update(ends_at=timezone.now())
    renew()
    assert stored(row).state == State.ERROR
    assert "could not be asked for again" in stored(row).reason


def test_r5_is_asked_in_its_own_words() -> None:
    wanted = by_r5_topic(
        topic="https://ehr.example/topic",
        criteria="Observation?code=http://loinc.org|4548-4",
        endpoint="https://us.example/subscriptions/x",
        header="Authorization: Bearer y",
        until=timezone.now(),
        heartbeat=3600,
    )
    subscription.Subscription.model_validate(wanted)
    assert wanted["parameter"] == [{"name": "Authorization", "value": "Bearer y"}]
    assert wanted["filterBy"][0]["value"] == "http://loinc.org|4548-4"

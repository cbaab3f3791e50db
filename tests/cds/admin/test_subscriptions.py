"""Listening for new results: who may ask for it, what is handed over once, how it ends."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cds.models import AuditEntry, Ehr, EnabledService, Rescoring, Subscription
from cds.notified.token import find
from smartapp.demo_ehr.store import chart_store
from tests.cds.admin.people import signed_in

ADD = reverse("admin:cds_subscription_add")
LIST = reverse("admin:cds_subscription_changelist")


@pytest.fixture
def integrator(ehr: Ehr) -> Client:
    return signed_in("Ines", "integrator")


def asked(client: Client, ehr: Ehr, **changed: str) -> str:
    form = {"ehr": str(ehr.pk), "style": "search", "topic": "", "heartbeat_seconds": ""} | changed
    answer = client.post(ADD, form)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def test_the_values_to_hand_over_are_shown_once_and_open_the_end_point(integrator: Client, ehr: Ehr) -> None:
    page = asked(integrator, ehr)
    token = re.search(r"/subscriptions/([\w-]+)</code>", page)
    secret = re.search(r"Authorization: Bearer ([\w-]+)", page)
    assert token
    assert secret
    assert "Observation?code=" in page
    assert "http://loinc.org|4548-4" in page
    row = find(token[1], secret=secret[1])
    assert row == Subscription.objects.get()
    for address in (LIST, reverse("admin:cds_subscription_change", args=[row.pk])):
        shown = integrator.get(address).content.decode()
        assert token[1] not in shown
        assert secret[1] not in shown
    assert AuditEntry.objects.get(action="listen").ehr == ehr


@pytest.mark.parametrize("style", ["backport", "r5"])
def test_a_topic_is_needed_where_there_are_topics(integrator: Client, ehr: Ehr, style: str) -> None:
    assert "needs the topic's address" in asked(integrator, ehr, style=style)
    assert "https://ehr.example/topic" in asked(integrator, ehr, style=style, topic="https://ehr.example/topic")
    assert Subscription.objects.get().style == style


def test_without_access_of_our_own_there_is_nothing_to_listen_with(integrator: Client, ehr: Ehr) -> None:
    Ehr.objects.update(system_client_id="")
    assert "no access of its own" in asked(integrator, ehr)
    assert not Subscription.objects.exists()


def test_where_every_service_is_off_nothing_is_listened_for(integrator: Client, ehr: Ehr) -> None:
    EnabledService.objects.update(stage="off")
    assert "No service is on there" in asked(integrator, ehr)


def test_it_ends_with_one_press(integrator: Client, ehr: Ehr) -> None:
    asked(integrator, ehr)
    row = Subscription.objects.get()
    integrator.post(LIST, {"action": "end", "_selected_action": [str(row.pk)]})
    assert not Subscription.objects.exists()
    assert AuditEntry.objects.filter(action="listen-end").exists()


@pytest.mark.parametrize("role", ["auditor", "clinical approver"])
def test_others_only_look(ehr: Ehr, role: str) -> None:
    client = signed_in("Otto", role)
    assert client.get(LIST).status_code == 200
    assert client.get(ADD).status_code == 403


def test_whom_it_is_about_is_not_shown(integrator: Client, ehr: Ehr) -> None:
    row = Rescoring.objects.create(ehr=ehr, patient_key=ehr.pseudonym("ada"), patient_id=b"ada-s-id", failure="merged")
    page = integrator.get(reverse("admin:cds_rescoring_change", args=[row.pk])).content.decode()
    assert "merged" in page
    assert "ada-s-id" not in page


def test_an_ehr_that_does_not_say_how_is_asked_in_no_way(integrator: Client, ehr: Ehr) -> None:
    Ehr.objects.update(fhir_base="http://127.0.0.1:9/fhir")
    assert "does not say how" in asked(integrator, ehr, style="")
    assert not Subscription.objects.exists()


def test_in_the_style_that_the_ehr_offers_there_is_nothing_to_hand_over(hospital: Ehr, integrator: Client) -> None:
    assert "There is nothing to hand over" in asked(integrator, hospital, style="", heartbeat_seconds="3600")
    row = Subscription.objects.get()
    assert (row.style, row.heartbeat_seconds, bool(row.topic)) == ("backport", 3600, True)
    chart_store().reset()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"state": "requested"}, "nothing was heard yet"),
        ({"state": "active"}, "Active"),
        ({"state": "active", "reason": "What was told of could not be looked at"}, "Active, but: What was told of"),
        ({"state": "active", "gap_at": timezone.now()}, "An event did not come"),
        ({"state": "active", "heartbeat_seconds": 60}, "Silent: its sign of life does not come"),
        ({"state": "error", "reason": "It refuses."}, "In error: It refuses. Ask the EHR's people"),
        ({"state": "off"}, "listen anew"),
    ],
)
def test_the_list_says_in_a_sentence_how_it_stands(
    integrator: Client, ehr: Ehr, changed: dict[str, Any], said: str
) -> None:
    Subscription.objects.create(ehr=ehr, created_at=timezone.now() - timedelta(hours=1), **changed)
    assert said in unescape(integrator.get(LIST).content.decode())


def test_of_whom_to_ask_again_it_is_said_when_or_why_not(integrator: Client, ehr: Ehr) -> None:
    Rescoring.objects.create(ehr=ehr, patient_key="a", due_at=timezone.now())
    Rescoring.objects.create(ehr=ehr, patient_key="b", failure="it refuses")
    page = integrator.get(reverse("admin:cds_rescoring_changelist")).content.decode()
    assert "To be asked about at" in page
    assert "Given up: it refuses" in page

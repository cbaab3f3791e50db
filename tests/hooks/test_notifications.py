"""The end point of a subscription, from outside."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from cds.models import AuditEntry, Ehr, NotifiedEvent, Rescoring, Subscription
from cds.notified.subscribe import end
from tests.cds.notified.conftest import Listener
from tests.cds.notified.notices import STYLES, notice, observation


@pytest.fixture
def listener(ehr: Ehr) -> Listener:
    return Listener(ehr)


def post(listener: Listener, body: bytes = b"", *, path: str = "", method: str = "post", **headers: str) -> Any:
    place = urlsplit(listener.values.endpoint).path + path
    given = {"Authorization": listener.values.header.partition(": ")[2]} | headers
    call = getattr(Client(), method)
    return call(place, body, content_type="application/fhir+json; fhirVersion=4.0", headers=given)


@pytest.mark.parametrize("style", STYLES)
def test_a_handshake_is_answered_with_200_and_nothing(listener: Listener, style: str) -> None:
    answer = post(listener, notice(kind="handshake", style=style))
    assert (answer.status_code, answer.content) == (200, b"")
    assert listener.row.state == Subscription.State.ACTIVE


@pytest.mark.parametrize("style", STYLES)
def test_an_event_is_stored_before_it_is_answered(listener: Listener, style: str) -> None:
    post(listener, notice(kind="handshake", style=style))
    assert post(listener, notice((1, "Observation/a1c"), style=style)).status_code == 200
    assert NotifiedEvent.objects.get().number == 1


def test_an_empty_post_is_r4s_ping(listener: Listener) -> None:
    assert post(listener).status_code == 200
    assert listener.row.search_due


@pytest.mark.parametrize("method", ["put", "post"])
def test_r4_with_a_payload_puts_the_resource_below_the_end_point(listener: Listener, method: str) -> None:
    body = str(observation("ada") | {"id": "9"}).replace("'", '"').encode()
    path = "/Observation/9" if method == "put" else "/Observation"
    assert post(listener, body, path=path, method=method).status_code == 200
    assert bytes(Rescoring.objects.get().patient_id or b"") == b"ada"


# --- Whoever has no business here --------------------------------------------------------------------------------
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic abc"])
def test_without_the_secret_there_is_nothing_here(listener: Listener, header: str) -> None:
    answer = post(listener, b"", Authorization=header)
    assert answer.status_code == 404
    assert not listener.row.search_due


def test_a_wrong_token_and_a_wrong_secret_are_told_apart_by_nobody(listener: Listener) -> None:
    wrong = Client().post("/subscriptions/not-a-token", b"", content_type="application/fhir+json")
    assert wrong.status_code == 404
    assert wrong.content == post(listener, b"", Authorization="Bearer wrong").content


def test_of_an_ehr_that_is_not_active_nothing_is_heard(listener: Listener) -> None:
    Ehr.objects.update(active=False)
    assert post(listener).status_code == 404


def test_after_the_end_there_is_nothing_here(listener: Listener) -> None:
    end(listener.row, actor="somebody")
    assert post(listener).status_code == 404


def test_another_subscriptions_notification_is_refused_and_noted(listener: Listener) -> None:
    post(listener, notice(kind="handshake", subscription="77"))
    assert post(listener, notice((1, ""), subscription="78")).status_code == 400
    entry = AuditEntry.objects.get(action="refusal")
    assert (entry.subject, entry.ehr_id) == ("notification", listener.row.ehr_id)


@pytest.mark.parametrize("body", [b"<Bundle/>", b"{", b"[]", b'{"resourceType": "Bundle"}'])
def test_what_cannot_be_used_is_a_400_that_says_so(listener: Listener, body: bytes) -> None:
    answer = post(listener, body)
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert listener.row.heard_at is None


def test_a_body_that_is_too_large_is_a_413(listener: Listener, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert post(listener, b'{"resourceType": "Bundle", "x": "%s"}' % (b"y" * 2000)).status_code == 413


def test_xml_is_a_415(listener: Listener) -> None:
    place = urlsplit(listener.values.endpoint).path
    given = {"Authorization": listener.values.header.partition(": ")[2]}
    answer = Client().post(place, b"<Bundle/>", content_type="application/fhir+xml", headers=given)
    assert answer.status_code == 415


def test_only_hashes_of_token_and_secret_are_kept(listener: Listener) -> None:
    token = listener.values.endpoint.rpartition("/")[2]
    secret = listener.values.header.rpartition(" ")[2]
    kept = str(Subscription.objects.values().get()) + str(list(AuditEntry.objects.values()))
    assert token not in kept
    assert secret not in kept


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the console is told."""
    (console,) = [one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler]
    before = console.setStream(io.StringIO())
    logging.getLogger("hooks").setLevel(logging.INFO)
    yield console.stream
    logging.getLogger("hooks").setLevel(logging.NOTSET)
    console.setStream(before)


@pytest.mark.parametrize("body", [b"{", notice((1, "Observation/a1c-of-ada"))], ids=["refused", "heard"])
def test_no_log_line_holds_the_token_or_anything_of_the_notification(
    listener: Listener, body: bytes, written: io.StringIO
) -> None:
    post(listener, body)
    post(listener, body, Authorization="Bearer wrong")
    lines = written.getvalue()
    assert "/subscriptions/..." in lines
    assert listener.values.endpoint.rpartition("/")[2] not in lines
    assert listener.values.header.rpartition(" ")[2] not in lines
    assert "a1c-of-ada" not in lines

"""The three ways in which an EHR says that something is new, read into one."""

from __future__ import annotations

import json

import pytest

from cds.codes import LOINC, Code
from cds.errors import BadInput
from cds.fhir.notification import Notification, read
from tests.cds.notified.notices import STYLES, notice, observation

BASE = "https://ehr.example/fhir"
every_style = pytest.mark.parametrize("style", STYLES)


def told(body: bytes) -> Notification:
    return read(body, base=BASE)


@every_style
def test_an_event_has_its_number_and_focus(style: str) -> None:
    found = told(notice((24, "Observation/a1c-7"), style=style))
    assert (found.kind, found.subscription, found.count) == ("event-notification", "77", 24)
    (event,) = found.events
    assert (event.number, event.focus, event.subject, event.codes) == (24, "Observation/a1c-7", "", None)
    assert event.at is not None


@every_style
def test_a_full_payload_says_whom_it_is_about(style: str) -> None:
    sent = observation("ada") | {"id": "a1c-7"}
    (event,) = told(notice((24, f"{BASE}/Observation/a1c-7"), style=style, sent=[sent])).events
    assert (event.subject, event.codes) == ("Patient/ada", frozenset({Code(LOINC, "4548-4")}))


@every_style
@pytest.mark.parametrize("kind", ["handshake", "heartbeat"])
def test_a_handshake_and_a_heartbeat_tell_how_many_events_there_were(style: str, kind: str) -> None:
    found = told(notice(kind=kind, style=style, count=23))
    assert (found.kind, found.count, found.events) == (kind, 23, ())


@every_style
def test_what_lies_at_another_server_is_no_focus(style: str) -> None:
    (event,) = told(notice((1, "https://evil.example/fhir/Observation/1"), style=style)).events
    assert event.focus == ""


@every_style
def test_a_batch_holds_several_events_of_an_empty_payload(style: str) -> None:
    found = told(notice((1, ""), (2, ""), (3, ""), style=style))
    assert [(event.number, event.focus) for event in found.events] == [(1, ""), (2, ""), (3, "")]


def test_a_number_may_have_leading_zeros() -> None:
    body = notice((7, "")).replace(b'"eventNumber": "7"', b'"eventNumber": "007"')
    assert told(body).events[0].number == 7


def test_an_empty_body_is_r4s_word_for_something_new() -> None:
    assert told(b"") == Notification(kind="ping")
    assert told(b" \n") == Notification(kind="ping")


def test_a_resource_alone_is_r4s_payload() -> None:
    (event,) = told(json.dumps(observation("ada") | {"id": "9"}).encode()).events
    assert (event.focus, event.subject, event.number) == ("Observation/9", "Patient/ada", None)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<Bundle/>", "not JSON"),
        (b"[]", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"resourceType": "Bundle"}', "no status"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]}', "does not begin"),
        (b'{"resourceType": "Bundle", "entry": [{}]}', "not JSON"),
        (b'{"resourceType": "Observation"}', "neither"),
        (notice(kind="announcement"), "a type that we do not know"),
        (notice((1, "")).replace(b'"eventNumber": "1"', b'"eventNumber": "one"'), "not a number"),
        (notice((1, "")).replace(b'"eventNumber": "1"', b'"eventNumber": "-1"'), "out of range"),
        (notice((2**63, "")), "out of range"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(body: bytes, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        told(body)

"""Notifications come twice, late, in another order or not at all: what is noted is right all the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from cds.errors import BadInput
from cds.models import Ehr, NotifiedEvent, Rescoring, Subscription
from cds.opt_out import opt_out
from tests.cds.notified.conftest import Listener
from tests.cds.notified.notices import STYLES, notice, observation

LATER = "2026-10-02T10:00:00Z"


def numbers(listener: Listener) -> list[int | None]:
    return list(listener.row.events.order_by("number").values_list("number", flat=True))


@pytest.mark.parametrize("style", STYLES)
def test_a_handshake_makes_it_active(listener: Listener, style: str) -> None:
    listener.hears(notice(kind="handshake", style=style, status="requested"))
    row = listener.row
    assert (row.state, row.remote_id, row.last_event) == (Subscription.State.ACTIVE, "77", 0)
    assert row.heard_at is not None
    assert row.due_at is None


def test_a_heartbeat_is_noted_and_makes_no_work(listener: Listener) -> None:
    listener.hears(notice(kind="handshake"))
    listener.hears(notice(kind="heartbeat", count=0))
    assert listener.row.due_at is None


@pytest.mark.parametrize("style", STYLES)
def test_an_event_is_to_be_followed_up(listener: Listener, style: str) -> None:
    listener.hears(notice(kind="handshake", style=style))
    assert listener.hears(notice((1, "Observation/a1c"), style=style)) == 1
    assert listener.row.due_at is not None
    assert bytes(NotifiedEvent.objects.get().focus or b"") == b"Observation/a1c"


def test_an_event_that_comes_twice_is_one(listener: Listener) -> None:
    listener.hears(notice(kind="handshake"))
    assert [listener.hears(notice((1, "Observation/a1c"))) for _ in range(3)] == [1, 0, 0]
    assert listener.hears(notice((2, ""), (2, ""))) == 1
    assert listener.row.last_event == 2


def test_events_out_of_order_leave_no_gap(listener: Listener) -> None:
    listener.hears(notice(kind="handshake"))
    listener.hears(notice((3, "")))
    before = listener.row
    assert before.gap_at is not None
    assert before.last_event == 0
    listener.hears(notice((1, ""), (2, ""), count=3))
    assert (listener.row.last_event, listener.row.gap_at) == (3, None)
    assert numbers(listener) == []


def test_a_heartbeat_with_a_higher_number_shows_that_something_was_lost(listener: Listener) -> None:
    listener.hears(notice(kind="handshake"))
    listener.hears(notice(kind="heartbeat", count=4))
    assert (listener.row.told, listener.row.last_event) == (4, 0)
    assert listener.row.gap_at is not None


def test_a_number_that_goes_back_with_a_newer_time_is_a_counter_that_began_anew(listener: Listener) -> None:
    listener.hears(notice(kind="handshake"))
    listener.hears(notice((1, ""), (2, ""), (3, "")))
    assert listener.hears(notice((1, "Observation/new", LATER))) == 1
    assert (listener.row.last_event, listener.row.search_due) == (1, True)


def test_a_number_that_goes_back_with_its_own_time_is_a_repetition(listener: Listener) -> None:
    listener.hears(notice(kind="handshake"))
    listener.hears(notice((1, ""), (2, "", LATER)))
    assert listener.hears(notice((1, ""))) == 0
    assert listener.row.last_event == 2


def test_a_heartbeat_that_counts_less_is_a_counter_that_began_anew(listener: Listener) -> None:
    listener.hears(notice(kind="handshake", count=20))
    listener.hears(notice(kind="heartbeat", count=2))
    assert (listener.row.last_event, listener.row.told, listener.row.search_due) == (2, 2, True)


def test_the_first_event_of_a_subscription_that_ran_before_leads_to_a_search(listener: Listener) -> None:
    listener.hears(notice((41, "Observation/a1c")))
    assert (listener.row.last_event, listener.row.search_due, listener.row.gap_at) == (41, True, None)


def test_an_empty_body_leads_to_one_search_however_often_it_comes(listener: Listener) -> None:
    for _ in range(5):
        listener.hears(b"")
    assert listener.row.search_due
    assert not NotifiedEvent.objects.exists()


def test_a_payload_of_what_nobody_asks_about_is_dropped(listener: Listener) -> None:
    listener.hears(notice(kind="handshake"))
    sent = observation("ada", code="718-7") | {"id": "hb"}
    listener.hears(notice((1, "Observation/hb"), sent=[sent]))
    assert not Rescoring.objects.exists()
    assert listener.row.due_at is None


def test_many_notifications_about_one_patient_are_one_asking(listener: Listener) -> None:
    listener.hears(notice(kind="handshake"))
    for number in range(1, 21):
        sent = observation("ada") | {"id": f"a1c-{number}"}
        listener.hears(notice((number, f"Observation/a1c-{number}"), sent=[sent]))
    row = Rescoring.objects.get()
    assert bytes(row.patient_id or b"") == b"ada"
    assert row.patient_key == listener.row.ehr.pseudonym("ada")


def test_nothing_is_kept_of_who_opted_out(listener: Listener) -> None:
    opt_out(listener.row.ehr, "ada", actor="somebody")
    sent = observation("ada") | {"id": "a1c"}
    listener.hears(notice((1, "Observation/a1c"), sent=[sent]))
    assert not Rescoring.objects.exists()


@pytest.mark.parametrize("patient", ["../../admin", "ada?x=1", "a" * 65, ""])
def test_an_id_that_is_none_is_not_followed(listener: Listener, patient: str) -> None:
    sent = observation(patient) | {"id": "a1c"}
    listener.hears(notice((1, "Observation/a1c"), sent=[sent]))
    assert not Rescoring.objects.exists()


def test_a_notification_of_another_subscription_is_refused_and_changes_nothing(listener: Listener) -> None:
    listener.hears(notice(kind="handshake", subscription="77"))
    before = listener.row
    with pytest.raises(BadInput, match="another subscription"):
        listener.hears(notice((9, "Observation/x"), subscription="78"))
    assert (listener.row.told, listener.row.heard_at) == (before.told, before.heard_at)


def test_the_ehrs_word_that_it_is_in_error_is_kept(listener: Listener) -> None:
    listener.hears(notice(kind="handshake"))
    listener.hears(notice(kind="heartbeat", status="error"))
    assert listener.row.state == Subscription.State.ERROR
    listener.hears(notice(kind="heartbeat"))
    assert (listener.row.state, listener.row.reason) == (Subscription.State.ACTIVE, "")


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_are_one(transactional_db: None, ehr: Ehr) -> None:
    listener = Listener(ehr)
    listener.hears(notice(kind="handshake"))

    def once(_: int) -> int:
        try:
            return listener.hears(notice((1, "Observation/a1c")))
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(once, range(10))) == 1
    assert NotifiedEvent.objects.count() == 1

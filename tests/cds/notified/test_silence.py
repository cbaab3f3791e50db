"""What should have been heard of and was not is noticed, and nothing is missed meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cds.models import Subscription
from cds.notified import recover
from cds.notified.silence import silent
from tests.cds.admin.people import signed_in
from tests.cds.notified.conftest import Listener


def heard(listener: Listener, *, minutes_ago: int, heartbeat: int | None = 600, **more: object) -> Subscription:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    Subscription.objects.update(heard_at=at, searched_until=at, heartbeat_seconds=heartbeat, **more)
    return listener.row


@pytest.mark.parametrize(
    ("minutes_ago", "heartbeat", "is_silent"), [(10, 600, False), (26, 600, True), (100_000, None, False)]
)
def test_two_missing_heartbeats_are_silence(
    listener: Listener, minutes_ago: int, heartbeat: int | None, is_silent: bool
) -> None:
    assert silent(heard(listener, minutes_ago=minutes_ago, heartbeat=heartbeat)) == is_silent


@pytest.mark.parametrize(
    ("minutes_ago", "heartbeat", "is_searched"),
    [(10, 600, False), (26, 600, True), (60 * 23, None, False), (60 * 25, None, True)],
)
def test_silence_is_made_up_for_by_a_search_and_others_are_reconciled_daily(
    listener: Listener, minutes_ago: int, heartbeat: int | None, is_searched: bool
) -> None:
    heard(listener, minutes_ago=minutes_ago, heartbeat=heartbeat)
    recover()
    assert listener.row.search_due == is_searched
    assert (listener.row.due_at is not None) == is_searched


@pytest.mark.parametrize(("minutes_ago", "state", "count"), [(1, "active", 0), (60, "active", 1), (1, "error", 1)])
def test_the_first_page_counts_the_silent_and_those_in_error(
    listener: Listener, minutes_ago: int, state: str, count: int
) -> None:
    heard(listener, minutes_ago=minutes_ago, state=state)
    client: Client = signed_in("Ines", "integrator")
    page = client.get(reverse("admin:index")).content.decode()
    _, _, row = page.partition("silent or in error")
    assert row.startswith(f"</a></th><td><strong>{count}</strong>" if count else "</a></li>")

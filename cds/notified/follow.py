"""What was notified is followed up: whose result is it, what came since, which events never came.

One worker at a time for each subscription, with our own access; what cannot be read now is tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import quote

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from cds.errors import BadInput, FhirError, FhirInvalid, FhirRefused
from cds.fhir.client import FhirServer
from cds.fhir.notification import Event
from cds.fhir.notification import found as read_found
from cds.fhir.notification import page as read_page
from cds.fhir.notification import read as read_notification
from cds.models import NotifiedEvent, Subscription
from cds.notified import listening, owed
from cds.notified.hear import count_on, hear
from cds.system import system_client

logger = logging.getLogger(__name__)

AT_ONCE = 50  # reads each time: the rest waits for the next
GRACE = timedelta(seconds=60)  # for an event that may still be on its way
AGAIN = timedelta(minutes=2)
OVERLAP = timedelta(minutes=2)  # its clock and ours; what is found twice is asked about once


def follow(subscription_id: int) -> None:
    """Look at what waits. `due.take` has handed it out; a notification that comes meanwhile makes it due again."""
    row = Subscription.objects.select_related("ehr").get(pk=subscription_id)
    seen = row.due_at
    try:
        client = system_client(row.ehr, needed=("Observation.rs",), wanted=("Subscription.r",))
        _read_events(row, client)
        _fill_gap(row, client)
        _search(row, client)
    except FhirError as error:
        logger.warning("subscription %s could not be followed up: %s", row.pk, error)
        _put_down(row, seen, reason=f"What was told of could not be looked at: {error}")
    else:
        _put_down(row, seen, reason="")


def _put_down(row: Subscription, seen: datetime | None, *, reason: str) -> None:
    rest = row.search_due or row.events.filter(followed=False).exists()
    now = timezone.now()
    due_at = now + AGAIN if reason else now if rest else row.gap_at + GRACE if row.gap_at else None
    mine = Subscription.objects.filter(pk=row.pk)
    mine.update(held_until=None)
    mine.exclude(state__in=[Subscription.State.ERROR, Subscription.State.OFF]).update(reason=reason[:200])
    mine.filter(due_at=seen).update(due_at=due_at)


def _read_events(row: Subscription, client: FhirServer) -> None:
    """Events that named what is new, but not whom it is about."""
    for event in row.events.filter(followed=False).order_by("pk")[:AT_ONCE]:
        told = _looked_up(bytes(event.focus or b"").decode(), client)
        if told and listening.matters(row.ehr, told.focus, told.codes or frozenset()):
            owed.owe(row.ehr, told.subject.removeprefix("Patient/"))
        NotifiedEvent.objects.filter(pk=event.pk).update(followed=True, focus=None)
    _count(row)


def _looked_up(focus: str, client: FhirServer) -> Event | None:
    """None for what is gone or not for us: that is the EHR's right (Backport, "Payload Types")."""
    if focus.startswith("Patient/"):
        return Event(focus=focus, subject=focus)
    try:
        told = read_found(client.get(focus))
    except FhirError as error:
        if error.http_status in {403, 404, 410}:
            return None
        raise
    return told if told.subject.startswith("Patient/") else None


@transaction.atomic
def _count(row: Subscription) -> None:
    fresh = Subscription.objects.select_for_update().get(pk=row.pk)
    fresh.events.filter(followed=True, number=None).delete()
    count_on(fresh)
    fresh.save(update_fields=["last_event", "gap_at"])
    row.gap_at, row.last_event, row.told, row.search_due = (
        fresh.gap_at,
        fresh.last_event,
        fresh.told,
        fresh.search_due,
    )


def _fill_gap(row: Subscription, client: FhirServer) -> None:
    """An event that has not come in time is asked for; if it is not to be had, what it was about is searched for."""
    if row.gap_at is None or timezone.now() < row.gap_at + GRACE:
        return
    _ask_for_events(row, client)
    _count(row)
    if row.gap_at is not None:
        _close_gap(row)


def _ask_for_events(row: Subscription, client: FhirServer) -> None:
    """Backport, "$events": both ends are inclusive; a server need not have it, nor all events of the past."""
    if not row.remote_id or row.last_event is None:
        return
    bounds = f"eventsSinceNumber={row.last_event + 1}&eventsUntilNumber={row.told}&content=id-only"
    try:
        found = client.get(f"Subscription/{row.remote_id}/$events?{bounds}")
        hear(row, read_notification(found, base=row.ehr.fhir_base))
    except (FhirInvalid, FhirRefused, BadInput) as error:
        logger.warning("subscription %s: the missing events are not to be had: %s", row.pk, type(error).__name__)


@transaction.atomic
def _close_gap(row: Subscription) -> None:
    fresh = Subscription.objects.select_for_update().get(pk=row.pk)
    logger.warning("subscription %s: events up to %s never came; they are searched for", row.pk, fresh.told)
    fresh.last_event, fresh.gap_at, fresh.search_due = fresh.told, None, True
    fresh.events.filter(followed=True).delete()
    fresh.save(update_fields=["last_event", "gap_at", "search_due"])
    row.last_event, row.gap_at, row.search_due = fresh.last_event, None, True


def _search(row: Subscription, client: FhirServer) -> None:
    """Everybody with a new result since the last time (R4, "Subscription": without a payload the criteria are run again)."""
    if not row.search_due:
        return
    asked_at = timezone.now()
    Subscription.objects.filter(pk=row.pk).update(search_due=False)
    try:
        for patient_id in _with_news(row, client):
            owed.owe(row.ehr, patient_id)
    except FhirError:
        Subscription.objects.filter(pk=row.pk).update(search_due=True)
        raise
    Subscription.objects.filter(pk=row.pk).update(searched_until=asked_at)
    row.search_due = False


def _with_news(row: Subscription, client: FhirServer) -> Iterator[str]:
    since = (row.searched_until - OVERLAP).isoformat(timespec="seconds")
    path = f"{listening.criteria(row.ehr)}&_lastUpdated=ge{quote(since)}&_count=200"
    for _ in range(settings.FHIR_MAX_PAGES):
        page = read_page(client.get(path))
        yield from {one.subject.removeprefix("Patient/") for one in page.events if one.subject.startswith("Patient/")}
        if not page.next:
            return
        path = page.next
    raise FhirInvalid("there are more new results than could be read", url=row.ehr.fhir_base)

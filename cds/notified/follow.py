"""What was notified is followed up: whose result is it, what came since, which events never came.

One worker at a time for each subscription, with our own access; what cannot be read now is tried again.
"""

from __future__ import annotations

import logging
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
LONGEST_ASKED = timedelta(days=1)  # that the EHR may make us wait
SHORTEST = timedelta(minutes=1)  # a time that is not divided any more
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
        wait = max(AGAIN, min(timedelta(seconds=error.retry_after or 0), LONGEST_ASKED))
        _put_down(row, seen, reason=f"What was told of could not be looked at: {error}", wait=wait)
    else:
        _put_down(row, seen, reason="")


def _put_down(row: Subscription, seen: datetime | None, *, reason: str, wait: timedelta = AGAIN) -> None:
    rest = row.search_due or row.events.filter(followed=False).exists()
    now = timezone.now()
    due_at = now + wait if reason else now if rest else row.gap_at + GRACE if row.gap_at else None
    mine = Subscription.objects.filter(pk=row.pk)
    mine.update(held_until=None)
    mine.exclude(state__in=[Subscription.State.ERROR, Subscription.State.OFF]).update(reason=reason[:200])
    mine.filter(due_at=seen).update(due_at=due_at)


def _read_events(row: Subscription, client: FhirServer) -> None:
    """Events that named what is new, but not whom it is about."""
    for event in row.events.filter(followed=False).order_by("pk")[:AT_ONCE]:
        try:
            told = _looked_up(bytes(event.focus or b"").decode(), client)
        except FhirInvalid as error:  # for good: those behind it must not wait
            logger.warning(
                "subscription %s: an event's focus cannot be read, and is searched for: %s",
                row.pk,
                type(error).__name__,
            )
            Subscription.objects.filter(pk=row.pk).update(search_due=True)
            told = None
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
        _owe_news(row, client, since=row.searched_until - OVERLAP)
    except FhirError:
        Subscription.objects.filter(pk=row.pk).update(search_due=True)
        raise
    Subscription.objects.filter(pk=row.pk).update(searched_until=asked_at)
    row.search_due = False


def _owe_news(row: Subscription, client: FhirServer, *, since: datetime, until: datetime | None = None) -> None:
    """Of a time with more results than are read in one go, one half after the other; what is done is not done again."""
    if _read_pages(row, client, since=since, until=until):
        return
    middle = since + ((until or timezone.now()) - since) / 2
    if middle - since < SHORTEST:
        raise FhirInvalid("there are more new results than could be read", url=row.ehr.fhir_base)
    _owe_news(row, client, since=since, until=middle)
    Subscription.objects.filter(pk=row.pk).update(searched_until=middle)
    _owe_news(row, client, since=middle, until=until)


def _read_pages(row: Subscription, client: FhirServer, *, since: datetime, until: datetime | None) -> bool:
    """Were these all?"""
    path = f"{listening.criteria(row.ehr)}&_lastUpdated=ge{_instant(since)}&_count=200"
    path += f"&_lastUpdated=lt{_instant(until)}" if until else ""
    for _ in range(settings.FHIR_MAX_PAGES):
        page = read_page(client.get(path))
        for one in page.events:
            if one.subject.startswith("Patient/"):
                owed.owe(row.ehr, one.subject.removeprefix("Patient/"))
        if not page.next:
            return True
        path = page.next
    return False


def _instant(at: datetime) -> str:
    return quote(at.isoformat(timespec="seconds"))

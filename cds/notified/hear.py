"""A notification becomes rows, in one transaction, before it is answered: what was answered with 200 is never lost.

Delivery is best effort (Backport, "Errors"): events come twice, late, in another order or not at all. The subscription's
row is locked, so that whoever comes at the same moment, in whichever process, sees what the other has noted.
"""

from __future__ import annotations

import logging

from django.db import transaction
from django.utils import timezone

from cds.errors import BadInput
from cds.fhir.notification import Event, Notification
from cds.models import NotifiedEvent, Subscription
from cds.notified import listening, owed

logger = logging.getLogger(__name__)

State = Subscription.State


@transaction.atomic
def hear(subscription: Subscription, told: Notification) -> int:
    """How many events are news. Raises BadInput for a notification of another subscription."""
    row = Subscription.objects.select_for_update(of=("self",)).select_related("ehr").get(pk=subscription.pk)
    _require_same(row, told)
    if not told.kind.startswith("query-"):  # an answer to us shows nothing of the way from them to us
        _note_state(row, told)
    news = []
    for event in told.events:
        if _is_news(row, event):
            _enter(row, event)
            news.append(event)
    if told.kind == "ping" and not told.events:
        row.search_due = True
    row.told = max([row.told, told.count or 0, *(event.number or 0 for event in news)])
    count_on(row)
    if row.search_due or row.gap_at or row.events.filter(followed=False).exists():
        row.due_at = timezone.now()
    row.save()
    return len(news)


def _require_same(row: Subscription, told: Notification) -> None:
    """The id is learnt from the first notification where it is not known; with it the end point is that one's."""
    if not told.subscription:
        return
    if row.remote_id and told.subscription != row.remote_id:
        raise BadInput("the notification is of another subscription than this end point's")
    row.remote_id = told.subscription[:64]


def _note_state(row: Subscription, told: Notification) -> None:
    row.heard_at = timezone.now()
    if told.status in {State.ERROR, State.OFF}:
        row.state, row.reason = State(told.status), "The EHR says so."
    elif row.state in {State.REQUESTED, State.ERROR} and told.status != "requested":
        row.state, row.reason = State.ACTIVE, ""
    if told.kind == "handshake" and row.state in {State.REQUESTED, State.ERROR}:
        row.state, row.reason = State.ACTIVE, ""  # it becomes so once we have answered
    if told.count is None or told.kind == "event-notification":
        return
    if row.last_event is None:
        row.last_event = row.told = told.count
    elif told.count < row.last_event:
        begin_anew(row, at=told.count)


def _is_news(row: Subscription, event: Event) -> bool:
    if event.number is None:
        return True
    if row.last_event is None:
        row.last_event = row.told = event.number - 1
        row.search_due = row.last_event > 0  # what was before it, we have never seen
    if event.number > row.last_event:
        return not row.events.filter(number=event.number).exists()
    if event.at and row.last_event_at and event.at > row.last_event_at:
        begin_anew(row, at=event.number - 1)
        return True
    return False


def begin_anew(row: Subscription, *, at: int) -> None:
    """The EHR counts from the beginning again. What may have been missed in between is searched for."""
    logger.warning("subscription %s counts its events anew", row.pk)
    row.events.update(number=None)
    row.last_event = row.told = at
    row.search_due = True


def _enter(row: Subscription, event: Event) -> None:
    """Kept until followed up; what nobody here asks about, or was sent without a focus, needs no following."""
    if event.number is not None and event.at:
        row.last_event_at = max(event.at, row.last_event_at or event.at)
    matters = event.codes is None or listening.matters(row.ehr, event.focus, event.codes)
    if not event.focus:
        row.search_due = True
    elif matters and event.subject.startswith("Patient/"):
        owed.owe(row.ehr, event.subject.removeprefix("Patient/"))
    follow_up = bool(event.focus) and matters and not event.subject.startswith("Patient/")
    if follow_up or event.number is not None:
        focus = event.focus.encode() if follow_up else None
        NotifiedEvent.objects.create(subscription=row, number=event.number, focus=focus, followed=not follow_up)


def count_on(row: Subscription) -> None:
    """Up to where nothing is missing; rows that stood for smaller numbers are not needed any more."""
    if row.last_event is None:
        return
    later = row.events.filter(number__gt=row.last_event).order_by("number").values_list("number", flat=True)
    for number in later:
        if number != row.last_event + 1:
            break
        row.last_event = number
    row.events.filter(number__lte=row.last_event, followed=True).delete()
    row.gap_at = (row.gap_at or timezone.now()) if row.last_event < row.told else None

"""Ask an EHR to tell us of new results, ask again before it forgets, and end that."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

import msgspec
from django.utils import timezone

from cds import audit
from cds.errors import FhirError, FhirInvalid, FhirRefused
from cds.fhir.client import FhirServer
from cds.fhir.decoding import UNREADABLE
from cds.fhir.elements import Resource
from cds.fhir.subscription import by_r5_topic, by_search, by_topic
from cds.models import Ehr, Subscription
from cds.notified import listening
from cds.notified.offered import offer, statement_of
from cds.notified.token import HandOver, issue
from cds.system import system_client

logger = logging.getLogger(__name__)

LASTS = timedelta(days=30)
EARLY = timedelta(days=3)  # before it ends it is asked for again: a long weekend without the EHR is survived
_NEEDED = ("Subscription.crud",)

State, Style = Subscription.State, Subscription.Style


def offered(ehr: Ehr) -> Subscription:
    """Not saved yet: in the style that the EHR offers. Raises FhirError."""
    style, topic = offer(ehr, system_client(ehr, needed=_NEEDED, wanted=("SubscriptionTopic.s",)))
    return Subscription(ehr=ehr, style=style, topic=topic)


def listen(row: Subscription, *, actor: str) -> HandOver:
    """A new row: from now on its end point answers. What is returned is shown once, and kept as hashes only."""
    values = issue(row)
    row.save()
    audit.record("listen", actor=actor, ehr=row.ehr, subject=f"subscription {row.pk}", style=row.style)
    return values


def ask(row: Subscription, values: HandOver) -> None:
    """Create it at the EHR, whose handshake comes before it has answered us. Raises FhirError: then people must do it."""
    client = system_client(row.ehr, needed=_NEEDED)
    if not statement_of(client).can("Subscription", "create"):
        raise FhirRefused("the EHR does not let an app create a Subscription", url=row.ehr.fhir_base)
    until = timezone.now() + LASTS
    answer = client.post_json("Subscription", _wanted(row, values)(until=until))
    made = _made(answer.content, place=answer.headers.get("Location", ""))
    mine = Subscription.objects.filter(pk=row.pk)
    mine.update(remote_id=made.id[:64], ends_at=until)
    if made.status in State.values:
        mine.filter(state=State.REQUESTED).update(state=made.status)
    row.refresh_from_db()


def _wanted(row: Subscription, values: HandOver) -> partial[Resource]:
    given = {"criteria": listening.criteria(row.ehr), "endpoint": values.endpoint, "header": values.header}
    topic = {"topic": row.topic, "heartbeat": row.heartbeat_seconds}
    match Style(row.style):
        case Style.SEARCH:
            return partial(by_search, **given)  # type: ignore[arg-type]
        case Style.BACKPORT:
            return partial(by_topic, **given, **topic)  # type: ignore[arg-type]
        case Style.R5:
            return partial(by_r5_topic, **given, **topic)  # type: ignore[arg-type]


class _Made(msgspec.Struct):
    id: str = ""
    status: str = ""


def _made(content: bytes, *, place: str) -> _Made:
    """The resource, or at least where it is: a server may answer without a body."""
    try:
        made = msgspec.json.decode(content or b"{}", type=_Made)
    except UNREADABLE as error:
        raise FhirInvalid("the answer to a create cannot be read") from error
    made.id = made.id or place.partition("/_history/")[0].rpartition("Subscription/")[2]
    if not made.id:
        raise FhirInvalid("the EHR does not say under which id it keeps the Subscription")
    return made


def end(row: Subscription, *, actor: str) -> str:
    """Nothing is at its end point any more. What has to be done at the EHR by hand, "" if nothing."""
    try:
        told = _end_there(row)
    except FhirError as error:
        told = f"It could not be ended at the EHR ({error}): ask its people to delete it there."
    audit.record("listen-end", actor=actor, ehr=row.ehr, subject=f"subscription {row.pk}")
    row.delete()
    return told


def _end_there(row: Subscription) -> str:
    if not row.remote_id:
        return "Ask the EHR's people to delete it there, if they made it."
    client = system_client(row.ehr, needed=_NEEDED)
    try:
        client.delete(f"Subscription/{row.remote_id}")
    except FhirError as error:
        if error.http_status in {404, 410}:
            return ""
        if error.http_status not in {403, 405}:
            raise
        _change(row, client, status="off")
    return ""


def renew() -> None:
    """Those that we have asked for and that will end soon, or are in error: asked for again, and nothing is missed."""
    ours = Subscription.objects.exclude(ends_at=None).filter(ehr__active=True)
    soon = ours.filter(ends_at__lt=timezone.now() + EARLY) | ours.filter(state=State.ERROR)
    for row in soon.select_related("ehr"):
        try:
            _renew(row)
        except FhirError as error:
            logger.warning("subscription %s could not be renewed: %s", row.pk, error)
            mine = Subscription.objects.filter(pk=row.pk)
            mine.update(state=State.ERROR, reason=f"It could not be asked for again: {error}"[:200])


def _renew(row: Subscription) -> None:
    """Recovery is the subscriber's task (Backport, "Managing Subscriptions"): what was missed is searched for."""
    until = timezone.now() + LASTS
    client = system_client(row.ehr, needed=_NEEDED)
    mine = Subscription.objects.filter(pk=row.pk)
    mine.update(state=State.REQUESTED, reason="")  # before: the handshake comes while the EHR is still answering
    _change(row, client, status="requested", end=until.isoformat(timespec="seconds"))
    mine.update(ends_at=until, search_due=True, due_at=timezone.now())


def _change(row: Subscription, client: FhirServer, **elements: str) -> None:
    place = f"Subscription/{row.remote_id}"
    there, version = client.read(place)
    client.update(place, {**there, **elements}, if_match=version)

"""What an EHR notifies us of, in one shape: R4's bare resource, the Backport's history Bundle, R4B's and R5's SubscriptionStatus.

Sources: R4 "Subscription"; Subscriptions R5 Backport 1.1.0, "Notifications"; R5 "Subscriptions Framework". Numbers are texts
in R4 and R5 (integer64). What a payload says of a patient is not believed: it only names whom to look at.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from cds.codes import Code, code_of
from cds.errors import BadInput, FhirInvalid
from cds.fhir.decoding import UNREADABLE
from cds.fhir.said import relative
from cds.fhir.shapes import CodesOnly, ReferenceOnly, Shape

Kind = Literal["handshake", "heartbeat", "event-notification", "query-status", "query-event", "ping"]
_LARGEST = 2**63 - 1  # integer64


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """`focus`: Type/id, "" where none was sent, or one of another server.

    `subject`: whom it is about, and `codes`: what it is, where that was sent as well.
    """

    number: int | None = None
    at: datetime | None = None
    focus: str = ""
    subject: str = ""
    codes: frozenset[Code] | None = None


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """`ping`: R4's empty body. `count`: events since the subscription began. `subscription`: its id there, "" if not said."""

    kind: Kind
    subscription: str = ""
    status: str = ""
    count: int | None = None
    events: tuple[Event, ...] = ()


class _Resource(Shape):
    resource_type: str = ""
    id: str = ""
    subject: ReferenceOnly | None = None
    patient: ReferenceOnly | None = None
    code: CodesOnly | None = None


class _Parameter(Shape):
    name: str = ""
    value_reference: ReferenceOnly | None = None
    value_code: str = ""
    value_string: str = ""
    value_instant: str = ""
    part: list[_Parameter] = []


class _Told(Shape):
    event_number: str | int | None = None
    timestamp: str = ""
    focus: ReferenceOnly | None = None


class _Status(Shape):
    """A SubscriptionStatus, or the Backport's Parameters in its place."""

    resource_type: str = ""
    parameter: list[_Parameter] = []
    status: str = ""
    type: str = ""
    events_since_subscription_start: str | int | None = None
    notification_event: list[_Told] = []
    subscription: ReferenceOnly | None = None


class _Entry(Shape):
    resource: msgspec.Raw = msgspec.Raw()


class _Link(Shape):
    relation: str = ""
    url: str = ""


class _Bundle(Shape):
    resource_type: str = ""
    entry: list[_Entry] = []
    link: list[_Link] = []


def read(body: bytes, *, base: str) -> Notification:
    """`base`: the EHR's FHIR base; what lies elsewhere is never asked for. Raises BadInput."""
    if not body.strip():
        return Notification(kind="ping")
    try:
        bundle = msgspec.json.decode(body, type=_Bundle)
        if bundle.resource_type != "Bundle":
            return Notification(kind="ping", events=(_bare(body),))
        if not bundle.entry:
            raise BadInput("the Bundle holds no status of a subscription")
        status = _settled(msgspec.json.decode(bundle.entry[0].resource, type=_Status))
        sent = [msgspec.json.decode(one.resource, type=_Resource) for one in bundle.entry[1:] if bytes(one.resource)]
    except UNREADABLE as error:
        raise BadInput("the notification is not JSON of a shape that we know") from error
    return _notification(status, {f"{one.resource_type}/{one.id}": one for one in sent}, base=base)


def _bare(body: bytes) -> Event:
    """R4 with a payload: the resource itself."""
    found = msgspec.json.decode(body, type=_Resource)
    if not found.resource_type or not found.id:
        raise BadInput("the notification is neither a Bundle nor a resource with an id")
    return _about(Event(focus=f"{found.resource_type}/{found.id}"), found)


def _notification(status: _Status, sent: dict[str, _Resource], *, base: str) -> Notification:
    if status.type not in Kind.__args__:  # type: ignore[attr-defined]
        raise BadInput("the notification is of a type that we do not know")
    return Notification(
        kind=status.type,  # type: ignore[arg-type]
        subscription=_place(status.subscription).rpartition("/")[2],
        status=status.status,
        count=_number(status.events_since_subscription_start),
        events=tuple(_event(told, sent, base=base) for told in status.notification_event),
    )


def _event(told: _Told, sent: dict[str, _Resource], *, base: str) -> Event:
    reference = _place(told.focus)
    elsewhere = "://" in reference and not reference.startswith(f"{base.rstrip('/')}/")
    focus = relative(reference) if reference and not elsewhere else ""
    event = Event(number=_number(told.event_number), at=_moment(told.timestamp), focus=focus)
    return _about(event, sent[focus]) if focus in sent else event


def _about(event: Event, found: _Resource) -> Event:
    subject = _place(found.subject or found.patient)
    codings = (found.code.coding if found.code else None) or ()
    return msgspec.structs.replace(
        event,
        subject=relative(subject) if subject else "",
        codes=frozenset(code_of(one.system or "", one.code or "") for one in codings),
    )


def _settled(found: _Status) -> _Status:
    """Parameters as the SubscriptionStatus that they stand for (Backport, "R4 Notifications"); in whatever order."""
    if found.resource_type == "SubscriptionStatus":
        return found
    if found.resource_type != "Parameters":
        raise BadInput("the Bundle does not begin with the status of a subscription")
    given = {one.name: one for one in found.parameter}
    none = _Parameter()
    return _Status(
        status=given.get("status", none).value_code,
        type=given.get("type", none).value_code,
        events_since_subscription_start=given.get("events-since-subscription-start", none).value_string or None,
        notification_event=[_told(one) for one in found.parameter if one.name == "notification-event"],
        subscription=given.get("subscription", none).value_reference,
    )


def _told(event: _Parameter) -> _Told:
    part = {one.name: one for one in event.part}
    none = _Parameter()
    return _Told(
        event_number=part.get("event-number", none).value_string or None,
        timestamp=part.get("timestamp", none).value_instant,
        focus=part.get("focus", none).value_reference,
    )


def _place(reference: ReferenceOnly | None) -> str:
    return (reference.reference or "") if reference else ""


def _number(said: str | int | None) -> int | None:
    if said is None:
        return None
    try:
        number = int(said)
    except ValueError as error:
        raise BadInput("an event number is not a number") from error
    if not 0 <= number <= _LARGEST:
        raise BadInput("an event number is out of range")
    return number


def _moment(said: str) -> datetime | None:
    """None for one that cannot be read, or has no zone: it only serves to notice a counter that began anew."""
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        return None
    return found if found.tzinfo else None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a search: what was found, and where the next one is."""

    events: tuple[Event, ...]
    next: str


def found(resource: bytes) -> Event:
    """What a read of the focus says: whom it is about and what it is. Raises FhirInvalid."""
    try:
        return _bare(resource)
    except (*UNREADABLE, BadInput) as error:
        raise FhirInvalid("what was told of cannot be read") from error


def page(bundle: bytes) -> Page:
    """Raises FhirInvalid for what is no Bundle of resources."""
    try:
        read_ = msgspec.json.decode(bundle, type=_Bundle)
        inner = [msgspec.json.decode(one.resource, type=_Resource) for one in read_.entry if bytes(one.resource)]
    except UNREADABLE as error:
        raise FhirInvalid("the answer to a search cannot be read") from error
    if read_.resource_type != "Bundle":
        raise FhirInvalid("the answer to a search is not a Bundle")
    events = tuple(_about(Event(focus=f"{one.resource_type}/{one.id}"), one) for one in inner)
    return Page(events=events, next=next((one.url for one in read_.link if one.relation == "next"), ""))

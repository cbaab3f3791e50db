"""`$status` and `$events` (Backport, "Operations"): what a subscriber asks when it has missed something."""

from __future__ import annotations

from django.http import HttpRequest

from smartapp.demo_ehr.courier import courier
from smartapp.demo_ehr.fhir import bearer, not_allowed, query_of, speaks_fhir
from smartapp.demo_ehr.interactions import Answer, read
from smartapp.demo_ehr.notices import bundle
from smartapp.demo_ehr.outcomes import FhirError, Resource
from smartapp.demo_ehr.subscriptions import asked_by


@speaks_fhir
def status(request: HttpRequest, *, subscription_id: str) -> Answer:
    """A searchset with one status."""
    subscription = asked_about(request, subscription_id)
    line = courier().line(subscription)
    found = bundle("query-status", subscription, asked_by(subscription), count=len(line.events))
    return Answer(body={**found, "type": "searchset"})


@speaks_fhir
def events(request: HttpRequest, *, subscription_id: str) -> Answer:
    """Those of which the numbers lie between `eventsSinceNumber` and `eventsUntilNumber`, both inclusive."""
    subscription = asked_about(request, subscription_id)
    asked, line, given = asked_by(subscription), courier().line(subscription), dict(query_of(request))
    if asked.content is None:
        raise FhirError(422, "not-supported", "a subscription to search criteria has no event numbers")
    since, until = number(given.get("eventsSinceNumber", "1")), number(given.get("eventsUntilNumber", str(2**63)))
    chosen = [event for event in line.events if since <= event.number <= until]
    content = given.get("content", asked.content)
    return Answer(
        body=bundle("query-event", subscription, asked, count=len(line.events), events=chosen, content=content)
    )


def asked_about(request: HttpRequest, subscription_id: str) -> Resource:
    if request.method != "GET":
        raise not_allowed(request)
    found = read(bearer(request), "Subscription", subscription_id).body
    return found or {}


def number(text: str) -> int:
    if not text.isdecimal():
        raise FhirError(400, "invalid", "an event number must be a whole number")
    return int(text)

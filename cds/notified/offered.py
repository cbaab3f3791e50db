"""In which of the three styles an EHR can be asked to tell us, as its CapabilityStatement has it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cds.connect import dialect_of
from cds.errors import FhirInvalid, FhirRefused
from cds.fhir.capability import Capability
from cds.fhir.client import FhirServer
from cds.fhir.decoding import UNREADABLE
from cds.models import Ehr, Subscription

Style = Subscription.Style


class Topic(msgspec.Struct):
    """`url`: its canonical URL."""

    url: str = ""


class Offer(NamedTuple):
    """`topic`: "" where search criteria say what is wanted."""

    style: Subscription.Style
    topic: str


def statement_of(client: FhirServer) -> Capability:
    try:
        return msgspec.json.decode(client.get("metadata"), type=Capability)
    except UNREADABLE as error:
        raise FhirInvalid("the CapabilityStatement cannot be read") from error


def offer(ehr: Ehr, client: FhirServer) -> Offer:
    """The first topic that there is: topics have event numbers, by which a loss is noticed. Else search criteria.

    Raises FhirRefused where there is neither: R5 has no search criteria.
    """
    announced = statement_of(client).topics
    if dialect_of(ehr).version.subscribes_by_search:
        return Offer(Style.BACKPORT, announced[0]) if announced else Offer(Style.SEARCH, "")
    topics = announced or _topics_of_r5(client)
    if not topics:
        raise FhirRefused("the EHR has no topic to subscribe to", url=ehr.fhir_base)
    return Offer(Style.R5, topics[0])


class _Entry(msgspec.Struct):
    resource: Topic


class _Found(msgspec.Struct):
    entry: list[_Entry] = []


def _topics_of_r5(client: FhirServer) -> list[str]:
    """There topics are resources (R5 "SubscriptionTopic")."""
    try:
        found = msgspec.json.decode(client.get("SubscriptionTopic?status=active"), type=_Found)
    except UNREADABLE as error:
        raise FhirInvalid("the EHR's topics cannot be read", url=client.base_uri) from error
    return [one.resource.url for one in found.entry if one.resource.url]

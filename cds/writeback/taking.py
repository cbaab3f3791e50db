"""What an EHR takes from a caller: by the token's scopes, by its CapabilityStatement, and by what it has refused before."""

from __future__ import annotations

import logging
from datetime import timedelta

import msgspec
from django.core.cache import caches
from django.utils import timezone

from cds.errors import FhirError
from cds.fhir.capability import Capability
from cds.fhir.client import FhirServer
from cds.fhir.decoding import UNREADABLE
from cds.models import Ehr, KnownLimit
from cds.writeback.hand import Hand

logger = logging.getLogger(__name__)

FORGOTTEN_AFTER = timedelta(days=1)
_STATED_SECONDS = 3600
_LETTERS = {"create": "c", "read": "r", "update": "u", "delete": "d", "search-type": "s"}
FORBIDDEN = 403
UNSUPPORTED = {404, 405, 501}  # of this type, or here at all (R4 http, 3.1.0.1.7 and "create")
_INVALID = {400, 422}  # of this resource: another one of the type may be taken
REFUSALS = {FORBIDDEN, *UNSUPPORTED, *_INVALID}
BASE = ""
MODEL_CARD = "DocumentReference?type=AIModelCard"  # of nobody's chart, so that a token may open the others and not it


class Taking:
    """Asked before each write; told when one is refused."""

    def __init__(self, ehr: Ehr, hand: Hand) -> None:
        self.ehr, self.hand = ehr, hand
        self.stated = _capability_of(ehr, hand.client)
        known = KnownLimit.objects.filter(ehr=ehr, caller__in=["", hand.caller])
        current = known.filter(learnt_at__gt=timezone.now() - FORGOTTEN_AFTER)
        self._refused = {(row.resource, row.interaction): (row.http_status, row.issue) for row in current}

    def obstacle(self, resource: str, interaction: str) -> str:
        """Why it is of no use to try, in a clause for people; "" where it may be tried.

        `resource`: a type, a part of one (`Type?...`), or the base.
        """
        kind = resource.partition("?")[0]
        if kind and not self.hand.may(kind, _LETTERS[interaction]):
            return "its permissions for Bedside do not cover it"
        if not self._says_it_can(kind, interaction):
            return "it says itself that it takes none"
        if refused := self._refused.get((resource, interaction)):
            status, issue = refused
            return f"it answered {status}{f', {issue}' if issue else ''}"
        return ""

    def takes(self, resource: str, interaction: str = "create") -> bool:
        return not self.obstacle(resource, interaction)

    def takes_once(self, resource: str) -> bool:
        """What many answers share must not be there many times."""
        findable = self.heeds_conditions(resource) or self.takes(resource, "search-type")
        return self.takes(resource) and findable

    def heeds_conditions(self, resource: str) -> bool:
        """If-None-Exist; a server that says nothing of itself is asked to."""
        return self.stated is None or self.stated.creates_conditionally(resource.partition("?")[0])

    def learn(self, resource: str, interaction: str, error: FhirError) -> None:
        """Remember a refusal: of a person's rights for that person, of the server's abilities for all."""
        status = error.http_status or 0
        self._refused[resource, interaction] = (status, error.issue)
        logger.info(
            "EHR %s takes no %s of %s: %s %s", self.ehr.pk, interaction, resource or "base", status, error.issue
        )
        if status in _INVALID:
            return
        KnownLimit.objects.update_or_create(
            ehr=self.ehr,
            caller=self.hand.caller if status == FORBIDDEN else "",
            resource=resource,
            interaction=interaction,
            defaults={"http_status": status, "issue": error.issue, "learnt_at": timezone.now()},
        )

    def _says_it_can(self, resource: str, interaction: str) -> bool:
        if self.stated is None:
            return True
        return self.stated.can(resource, interaction) if resource else self.stated.can_as_a_whole(interaction)


def _capability_of(ehr: Ehr, client: FhirServer) -> Capability | None:
    """Kept for an hour in each process; None where it cannot be had or says nothing: then the server will say."""
    place = f"capability:{ehr.fhir_base}"
    known: Capability | None = caches["process"].get(place)
    if known is not None:
        return known
    try:
        found = msgspec.json.decode(client.get("metadata"), type=Capability)
    except (FhirError, *UNREADABLE) as error:
        logger.info("EHR %s did not say what it can do: %s", ehr.pk, type(error).__name__)
        return None
    if not any(rest.resource for rest in found.rest):
        return None
    caches["process"].set(place, found, _STATED_SECONDS)
    return found

"""How a subscription is known: an unguessable token in the end point's address, and a secret in a header beside it.

Addresses end up in the logs of proxies, so the address alone opens nothing. Only keyed hashes of both are kept.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from cds.models import Subscription

_BYTES = 32
PATH = "/subscriptions/"


class HandOver(NamedTuple):
    """What an EHR needs; shown once."""

    endpoint: str
    header: str


def issue(subscription: Subscription) -> HandOver:
    """A new token and secret for a row that is then to be saved; earlier ones count no more."""
    token, secret = secrets.token_urlsafe(_BYTES), secrets.token_urlsafe(_BYTES)
    subscription.endpoint_hash, subscription.secret_hash = _hash(token), _hash(secret)
    return HandOver(endpoint=f"{settings.BASE_URL}{PATH}{token}", header=f"Authorization: Bearer {secret}")


def find(token: str, *, secret: str) -> Subscription | None:
    """The subscription that both name, at an EHR that is connected."""
    known = Subscription.objects.filter(endpoint_hash=_hash(token), ehr__active=True).select_related("ehr").first()
    right = known is not None and constant_time_compare(known.secret_hash, _hash(secret))
    return known if right else None


def _hash(text: str) -> str:
    return salted_hmac("cds.subscription", text, algorithm="sha256").hexdigest()

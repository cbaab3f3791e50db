"""How often a password may be tried: five times from one address, fifty times from all, then not for a quarter of an hour.

Counted in the database, where the accounts are: all processes count together, Redis is not asked, and without the
database nobody signs in. From where an administrator has signed in lately, the limit for all does not count: strangers
cannot close the account to the hospital.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from cds import audit
from cds.models import AuditEntry
from cds.models.audit import SIGN_INS
from config.models import Tries

FROM_ONE, FROM_ALL = 5, 50
PAUSE = timedelta(minutes=15)
_LATELY = timedelta(days=90)
_ALL = ""  # the place that stands for all


def take(account: str) -> int:
    """How many are left, this one included; 0: it may not be made.

    It is counted before it is made, so that of many at once no more than the limit are.
    """
    here = _taken(account, _here(), FROM_ONE)
    if not here or _known():
        return here
    return min(here, _taken(account, _ALL, FROM_ALL))


def closed_until(account: str) -> datetime | None:
    """To those who ask from here; None: it is open."""
    closed = Q(place=_here(), count__gte=FROM_ONE)
    if not _known():
        closed |= Q(place=_ALL, count__gte=FROM_ALL)
    rows = Tries.objects.filter(closed, account=_hash(account), until__gt=timezone.now())
    return rows.order_by("-until").values_list("until", flat=True).first()


def forget_here(account: str) -> None:
    """The password was right."""
    Tries.objects.filter(account=_hash(account), place=_here()).delete()


def forget(account: str) -> None:
    """The account has a new password."""
    Tries.objects.filter(account=_hash(account)).delete()


def _taken(account: str, place: str, limit: int) -> int:
    """The row is locked while it is counted. A try that is refused does not put off the end."""
    now = timezone.now()
    Tries.objects.filter(until__lte=now).delete()
    with transaction.atomic():
        rows, fresh = Tries.objects.select_for_update(), {"until": now + PAUSE}
        row, _ = rows.get_or_create(account=_hash(account), place=place, defaults=fresh)
        left = max(limit - row.count, 0)
        if left:
            row.count, row.until = row.count + 1, now + PAUSE
            row.save()
    return left


def _known() -> bool:
    """Has an administrator signed in from this address lately?"""
    address, since = audit.caller_address.get(), timezone.now() - _LATELY
    entries = AuditEntry.objects.filter(action__in=SIGN_INS, address=address, recorded_at__gte=since)
    return bool(address) and entries.exists()


def _here() -> str:
    return _hash(f"from {audit.caller_address.get()}")


def _hash(what: str) -> str:
    return salted_hmac("config.tries", what, algorithm="sha256").hexdigest()

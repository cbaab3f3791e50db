"""The audit trail: written with the act, sealed into a keyed hash chain soon after, verified on demand.

An entry is inserted without a lock, so that the hook's path waits for nobody; `seal` (every minute, one writer) gives
each new entry its gapless number and HMAC-SHA256(key, number | seal before | entry).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

import msgspec
from django.conf import settings
from django.db import transaction

from cds.models import AuditEntry, Ehr


def record(
    action: str, *, actor: str, ehr: Ehr | None = None, patient_id: str = "", subject: str = "", **detail: str | int
) -> None:
    """Append one entry. Raises if it cannot be written: what cannot be audited must not happen."""
    AuditEntry.objects.create(
        ehr=ehr,
        action=action,
        actor=actor,
        patient_key=ehr.pseudonym(patient_id) if ehr and patient_id else "",
        subject=subject,
        detail=detail,
    )


def seal() -> int:
    """Chain what was recorded since the last seal; how many entries."""
    with transaction.atomic():
        last = AuditEntry.objects.select_for_update().exclude(sequence=None).order_by("-sequence").first()
        sequence, before = (last.sequence or 0, last.seal) if last else (0, "")
        fresh = list(AuditEntry.objects.filter(sequence=None).order_by("pk")[:10_000])
        for entry in fresh:
            sequence += 1
            before = _seal(entry, sequence, before)
            AuditEntry.objects.filter(pk=entry.pk, sequence=None).update(sequence=sequence, seal=before)
    return len(fresh)


def verify() -> Iterator[int]:
    """The number of each entry at which the chain is broken: changed, removed, swapped or inserted."""
    expected, before = 0, ""
    for entry in AuditEntry.objects.exclude(sequence=None).order_by("sequence").iterator():
        expected += 1
        if entry.sequence != expected or not hmac.compare_digest(entry.seal, _seal(entry, expected, before)):
            yield entry.sequence or 0
        expected, before = entry.sequence or 0, entry.seal


def _seal(entry: AuditEntry, sequence: int, before: str) -> str:
    content = [
        sequence,
        before,
        entry.ehr_id,
        entry.recorded_at.timestamp(),
        entry.action,
        entry.actor,
        entry.patient_key,
        entry.subject,
        entry.detail,
    ]
    canonical = msgspec.json.encode(content, order="deterministic")
    return hmac.new(settings.AUDIT_KEY.encode(), canonical, hashlib.sha256).hexdigest()

"""The audit trail: who saw or sent what of whom, from where. Written with the act, sealed soon after (cds.chain).

An entry is inserted without a lock, so that the hook's path waits for nobody.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from cds.models import AuditEntry, Ehr
from cds.prepared import insert

US = "bedside"  # the actor of what nobody asked for
caller_address: ContextVar[str] = ContextVar("caller_address", default="")


def record(action: str, **more: Any) -> None:
    """Append one entry, with what `entry` takes. Raises if it cannot be written: what cannot be audited must not happen."""
    insert(entry(action, **more))


def entry(
    action: str,
    *,
    actor: str,
    ehr: Ehr | None = None,
    ehr_id: int | None = None,
    patient_id: str = "",
    patient_key: str = "",
    subject: str = "",
    **detail: str | int,
) -> AuditEntry:
    """One that is still to be inserted, in one statement with the act that it is about.

    `ehr_id` and `patient_key` where only these are known. The address is that of the request under way, if there is one.
    """
    return AuditEntry(
        ehr_id=ehr.pk if ehr else ehr_id,
        action=action,
        actor=actor,
        address=caller_address.get(),
        patient_key=ehr.pseudonym(patient_id) if ehr and patient_id else patient_key,
        subject=subject,
        detail=detail,
    )

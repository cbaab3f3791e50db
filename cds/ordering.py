"""Ordering: the unsigned orders that a hook carries become part of the context (CDS Hooks library, "order-sign")."""

from __future__ import annotations

import msgspec

from cds.context import Ordering, PatientContext
from cds.errors import BadInput
from cds.facts import Drug, Order
from cds.fhir.drafts import DRAFTS, read_drafts
from cds.fhir.read import Reader


def with_orders(context: PatientContext, drafts: msgspec.Raw, *, selected: tuple[str, ...] = ()) -> PatientContext:
    """The context and what is about to be ordered; a draft that cannot be used is an issue of the context."""
    reader = Reader(patient_id=context.patient.id, zone=context.now.tzinfo)  # type: ignore[arg-type]  # it has one
    reading = read_drafts(drafts, reader)
    if reading.failed:
        raise BadInput("the unsigned orders in the context are not a Bundle")
    ordering = Ordering(
        drugs=tuple(fact for fact in reading.coded if isinstance(fact, Drug)),
        orders=tuple(fact for fact in reading.coded if isinstance(fact, Order)),
        selected=selected,
        unread=sum(issue.need == DRAFTS.key for issue in reading.issues),
    )
    return msgspec.structs.replace(context, ordering=ordering, issues=(*context.issues, *reading.issues))

"""The frozen facts that one decision was based on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from itertools import chain

import msgspec
from msgspec import Struct

from cds.facts import Coded, Diagnosis, Drug, Imaging, Issue, Observed, Order, Person, Stay, Treatment


class Ordering(Struct, frozen=True, kw_only=True):
    """What a clinician is about to order, as the hooks order-select and order-sign carry it: nothing of it is signed."""

    drugs: tuple[Drug, ...] = ()
    orders: tuple[Order, ...] = ()
    selected: tuple[str, ...] = ()  # references of those chosen just now; none named: all of them are meant
    unread: int = 0  # drafts that could not be used and may be prescriptions; why, the context's issues say

    @property
    def chosen_drugs(self) -> tuple[Drug, ...]:
        """The selected ones; all, if a selection names no draft that is here: it may have meant any of them.

        A draft without an id cannot be named by a selection, so it counts as chosen.
        """
        chosen = {_relative(reference) for reference in self.selected}
        if not chosen or not chosen <= {draft.source for draft in (*self.drugs, *self.orders)}:
            return self.drugs
        return tuple(drug for drug in self.drugs if not drug.source or drug.source in chosen)


def _relative(reference: str) -> str:
    """Type/id, of a reference that may be absolute or versioned."""
    return "/".join(reference.partition("/_history/")[0].split("/")[-2:])


class PatientContext(Struct, frozen=True, kw_only=True):
    """What the record said at `now` (in the EHR's zone). Measurements come newest first, keyed by analyte.

    `ordering` is None where nobody is ordering anything: a chart was opened, a page looked at.
    """

    patient: Person
    now: datetime
    encounter_id: str | None = None
    observations: Mapping[str, tuple[Observed, ...]] = {}
    diagnoses: tuple[Diagnosis, ...] = ()
    drugs: tuple[Drug, ...] = ()
    treatments: tuple[Treatment, ...] = ()
    stays: tuple[Stay, ...] = ()
    orders: tuple[Order, ...] = ()
    imaging: tuple[Imaging, ...] = ()
    ordering: Ordering | None = None
    issues: tuple[Issue, ...] = ()
    unread: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            raise ValueError("`now` needs a time zone")

    @property
    def today(self) -> date:
        """The EHR's local date."""
        return self.now.date()

    @property
    def age(self) -> int | None:
        return self.patient.age(self.today)

    @property
    def replaces(self) -> tuple[str, ...]:
        """The ids of records that were merged into this one."""
        return self.patient.replaces

    def all(self, analyte: str) -> tuple[Observed, ...]:
        """Every usable measurement, newest first."""
        return self.observations.get(analyte, ())

    @property
    def sources(self) -> frozenset[str]:
        """What it was read from, Type/id."""
        coded: list[Coded] = [*self.diagnoses, *self.drugs, *self.treatments, *self.stays, *self.orders, *self.imaging]
        measured = chain.from_iterable(self.observations.values())
        said = (one.source for one in chain[Coded | Observed | Issue](coded, measured, self.issues))
        return frozenset(said) - {""}

    def as_json(self) -> bytes:
        """The snapshot; the same facts give the same bytes."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def from_json(cls, stored: bytes) -> PatientContext:
        return msgspec.json.decode(stored, type=cls)

    def fingerprint(self, *more: str) -> str:
        """sha256 over the facts, the local date (look-backs expire) and `more`, but not over the time of day."""
        facts = msgspec.to_builtins(self, order="deterministic")
        facts["now"] = self.today.isoformat()
        return hashlib.sha256(msgspec.json.encode([facts, *more])).hexdigest()

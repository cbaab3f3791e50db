"""What the record says, as values: frozen, dated, each with its source and, if measured, its unit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from itertools import pairwise
from operator import attrgetter

from msgspec import Struct

from cds.codes import Code
from cds.dates import months_before, years_between


class When(Struct, frozen=True, kw_only=True, gc=False):
    """A FHIR date or dateTime, perhaps partial ("2025-03"): the text as recorded, and the interval that it covers."""

    text: str
    earliest: datetime
    latest: datetime

    @property
    def day(self) -> date:
        return self.latest.date()

    @property
    def words(self) -> str:
        """As exact as it was recorded: "2025", "Mar 2025" or "1 Mar 2025"."""
        return self.latest.strftime({4: "%Y", 7: "%b %Y"}.get(len(self.text), "%-d %b %Y"))

    def within(self, months: int, today: date) -> bool:
        """Surely on or after the day `months` ago."""
        return self.earliest.date() >= months_before(today, months)

    def younger(self, months: int, today: date) -> bool:
        """Not yet `months` old: on the very day something is due again."""
        return self.earliest.date() > months_before(today, months)

    def apart(self, other: When) -> bool:
        """Surely on another day."""
        return self.latest.date() < other.earliest.date() or other.latest.date() < self.earliest.date()


class Quantity(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A number with its UCUM unit; with a `comparator` it is only a limit, as in ">60"."""

    value: float
    unit: str
    comparator: str = ""


class Person(Struct, frozen=True, kw_only=True, gc=False):
    """The demographics that decisions may use; sex is FHIR's administrative gender."""

    id: str
    birth_date: When | None = None
    sex: str = "unknown"
    deceased: bool = False
    race_codes: tuple[str, ...] = ()
    restricted: bool = False  # the record labels the whole chart R or V: a VIP, or one that is opened for a reason only
    replaces: tuple[str, ...] = ()  # ids of records that were merged into this one (Patient.link)

    def age(self, on: date) -> int | None:
        """Whole years; from a partial birth date the youngest age that it allows. None without one, and before the birth."""
        if self.birth_date is None:
            return None
        years = years_between(self.birth_date.latest.date(), on)
        return years if years >= 0 else None


class Observed(Struct, frozen=True, kw_only=True, gc=False):
    """One usable measurement: `quantity` in the analyte's unit, `reported` as the laboratory gave it."""

    analyte: str
    code: Code
    quantity: Quantity
    reported: Quantity
    when: When
    source: str
    encounter: str | None = None
    issued: str = ""
    certain: bool = True  # not: it stands in a report that is partial, or that nobody has verified


# By the earliest moment that the date allows: "2025" is not newer than "2025-03-01".
_AGE_ORDER = attrgetter("when.earliest", "when.latest", "issued", "source")


def newest_first(facts: Iterable[Observed]) -> tuple[Observed, ...]:
    found = tuple(facts)
    if all(older.when.earliest < newer.when.earliest for newer, older in pairwise(found)):  # as they were asked for
        return found
    return tuple(sorted(found, key=_AGE_ORDER, reverse=True))


class Coded(Struct, frozen=True, kw_only=True, gc=False):
    """A statement in codes: what, when, and in which state the record holds it."""

    codes: frozenset[Code]
    text: str
    status: str
    source: str
    certain: bool = True  # verificationStatus is confirmed, or not given
    start: When | None = None
    end: When | None = None
    encounter: str | None = None


class Diagnosis(Coded, frozen=True, kw_only=True, gc=False):
    """A Condition that is neither refuted nor entered in error; `status` is clinicalStatus.

    Not `certain`: provisional, differential or unconfirmed, as a rule-out code is.
    """


class Drug(Coded, frozen=True, kw_only=True, gc=False):
    """A MedicationRequest, MedicationStatement or MedicationAdministration."""


class Treatment(Coded, frozen=True, kw_only=True, gc=False):
    """A Procedure."""


FHIR_ID = r"[A-Za-z0-9\-.]{1,64}"  # R4, "id"
PLACE = rf"^(Organization|Location)/{FHIR_ID}$"  # how an encounter names where it is


class Stay(Coded, frozen=True, kw_only=True, gc=False):
    """An Encounter; its class is among the codes.

    `places`: where it happens, as references; the narrower first: Encounter.location, then Encounter.serviceProvider.
    """

    places: tuple[str, ...] = ()


class Order(Coded, frozen=True, kw_only=True, gc=False):
    """A ServiceRequest."""


class Imaging(Coded, frozen=True, kw_only=True, gc=False):
    """An imaging study; modalities (DCM), body sites and procedures are among the codes, the text is its description."""


class Issue(Struct, frozen=True, kw_only=True, gc=False):
    """Something in the record that could not be used: why, and where it stands; of a result also what it is and of when."""

    need: str
    reason: str
    source: str = ""
    analyte: str = ""
    when: When | None = None

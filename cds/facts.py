"""What the record says, as values: frozen, dated, each with its source and, if measured, its unit."""

from __future__ import annotations

from datetime import date, datetime

from cds.codes import Code
from cds.value import Value


class When(Value):
    """A FHIR date or dateTime, perhaps partial ("2025-03"): the text as recorded, and the interval that it covers."""

    text: str
    earliest: datetime
    latest: datetime

    @property
    def day(self) -> date:
        return self.latest.date()


class Quantity(Value):
    """A number with its UCUM unit."""

    value: float
    unit: str


class Person(Value):
    """The demographics that decisions may use; sex is FHIR's administrative gender."""

    id: str
    birth_date: When | None = None
    sex: str = "unknown"
    deceased: bool = False
    race_codes: tuple[str, ...] = ()

    def age(self, on: date) -> int | None:
        """Whole years; from a partial birth date the youngest age that it allows, None if there is none."""
        if self.birth_date is None:
            return None
        born = self.birth_date.latest.date()
        return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


class Observed(Value):
    """One usable measurement: `quantity` in the analyte's unit, `reported` as the laboratory gave it."""

    analyte: str
    code: Code
    quantity: Quantity
    reported: Quantity
    when: When
    source: str
    encounter: str | None = None
    issued: str = ""


class Coded(Value):
    """A statement in codes: what, when, and in which state the record holds it."""

    codes: frozenset[Code]
    text: str
    status: str
    source: str
    certain: bool = True  # verificationStatus is confirmed, or not given
    start: When | None = None
    end: When | None = None
    encounter: str | None = None


class Diagnosis(Coded):
    """A Condition that is neither refuted nor entered in error; `status` is clinicalStatus.

    Not `certain`: provisional, differential or unconfirmed, as a rule-out code is.
    """


class Drug(Coded):
    """A MedicationRequest, MedicationStatement or MedicationAdministration."""


class Treatment(Coded):
    """A Procedure."""


class Stay(Coded):
    """An Encounter; its class is among the codes."""


class Order(Coded):
    """A ServiceRequest."""


class Issue(Value):
    """Something in the record that could not be used: why, and where it stands."""

    need: str
    reason: str
    source: str = ""

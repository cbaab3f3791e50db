"""The few members of FHIR resources that we read, as msgspec shapes: everything else is skipped without being built.

Tolerant on purpose: every member is optional, unknown members are ignored; what the values mean is decided in read.py.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from cds.codes import Code

T = TypeVar("T")


class Shape(msgspec.Struct, rename="camel", gc=False):
    """Base: FHIR's camelCase names, no cycles."""


class Coding(Shape):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class Concept(Shape):
    coding: list[Coding] | None = None
    text: str | None = None


class CodeOnly(Shape):
    """A Coding where its display does not matter: half the cost, and a chart has hundreds."""

    system: str | None = None
    code: str | None = None


class CodesOnly(Shape):
    coding: list[CodeOnly] | None = None


class ReferenceOnly(Shape):
    reference: str | None = None


class Reference(ReferenceOnly):
    display: str | None = None


class CodeableReference(Concept):
    """R5's; what another version has as a CodeableConcept fits, too."""

    concept: Concept | None = None
    reference: Reference | None = None


class Period(Shape):
    start: str | None = None
    end: str | None = None


class QuantityShape(Shape):
    value: float | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None
    comparator: str | None = None


class Meta(Shape):
    """Of which only the security labels matter here."""

    security: list[CodeOnly] | None = None


def labelled(meta: Meta | None, names: frozenset[Code]) -> bool:
    """Does it carry one of these security labels?"""
    return meta is not None and any((label.system, label.code) in names for label in meta.security or ())


class OutcomeIssue(Shape):
    """Of an OperationOutcome, which may stand wherever a resource is expected."""

    severity: str = "error"


class Component(Shape):
    code: CodesOnly | None = None
    value_quantity: QuantityShape | None = None
    value_string: str | None = None


class CodedPart(Shape):
    code: CodesOnly | None = None


class CodedParts(CodedPart):
    """Of an Observation that cannot be read as a whole, what it is about."""

    component: list[CodedPart] | None = None


class Observation(Shape):
    resource_type: str = ""
    id: str | None = None
    meta: Meta | None = None
    status: str | None = None
    code: CodesOnly | None = None
    subject: ReferenceOnly | None = None
    encounter: ReferenceOnly | None = None
    context: ReferenceOnly | None = None  # STU3
    effective_date_time: str | None = None
    effective_period: Period | None = None
    effective_instant: str | None = None
    issued: str | None = None
    value_quantity: QuantityShape | None = None
    value_string: str | None = None
    value_codeable_concept: Concept | None = None
    component: list[Component] | None = None
    issue: list[OutcomeIssue] | None = None


class Extension(Shape):
    url: str = ""
    value_coding: Coding | None = None
    extension: list[Extension] | None = None


class PatientLink(Shape):
    """Another record of the same person; after a merge the one that counts (`replaced-by`), or no longer (`replaces`)."""

    type: str | None = None
    other: ReferenceOnly | None = None


def replaced(links: list[PatientLink] | None) -> str | None:
    """The id of the record that this one was merged into, "" where none is named; None if it was not merged."""
    for link in links or ():
        if link.type == "replaced-by":
            return _linked(link)
    return None


def replaces(links: list[PatientLink] | None) -> tuple[str, ...]:
    """The ids of the records that were merged into this one, as far as it names them."""
    return tuple(sorted({one for link in links or () if link.type == "replaces" and (one := _linked(link))}))


def _linked(link: PatientLink) -> str:
    reference = (link.other.reference if link.other else None) or ""
    return reference.partition("/_history/")[0].rpartition("/")[2]


class Patient(Shape):
    resource_type: str = ""
    id: str | None = None
    meta: Meta | None = None
    link: list[PatientLink] | None = None
    birth_date: str | None = None
    gender: str | None = None
    deceased_boolean: bool | None = None
    deceased_date_time: str | None = None
    extension: list[Extension] | None = None
    issue: list[OutcomeIssue] | None = None


class Adherence(Shape):
    code: Concept | None = None


class Location(ReferenceOnly):
    """An item of Encounter.location; of other types a Reference, which is not looked at."""

    location: ReferenceOnly | None = None
    status: str | None = None


class Statement(Shape):
    """What Condition, Medication*, Procedure, Encounter and ServiceRequest have in common, in every FHIR version.

    `cds.fhir.versions.settle` moves what stands elsewhere in another version to where R4 has it.
    """

    resource_type: str = ""
    id: str | None = None
    meta: Meta | None = None
    status: str | None = None
    intent: str | None = None
    do_not_perform: bool | None = None
    subject: Reference | None = None
    patient: Reference | None = None
    encounter: Reference | None = None
    context: Reference | None = None
    code: CodeableReference | None = None
    medication_codeable_concept: Concept | None = None
    medication_reference: Reference | None = None
    contained: list[Statement] | None = None
    verification_status: Concept | str | None = None
    clinical_status: Concept | str | None = None
    # Encounter
    klass: Coding | list[Concept] | None = msgspec.field(default=None, name="class")
    type: list[Concept] | None = None
    period: Period | None = None
    service_provider: ReferenceOnly | None = None
    location: list[Location] | Location | None = None
    # When
    onset_date_time: str | None = None
    onset_period: Period | None = None
    abatement_date_time: str | None = None
    recorded_date: str | None = None
    date_asserted: str | None = None  # of a MedicationStatement
    authored_on: str | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    performed_date_time: str | None = None
    performed_period: Period | None = None
    # Where STU3 and R5 differ
    medication: CodeableReference | None = None  # R5
    adherence: Adherence | None = None  # R5
    actual_period: Period | None = None  # R5
    recorded: str | None = None  # R5 of a Procedure
    occurrence_date_time: str | None = None  # R5 of a Procedure: when it was done; of an order: when it should be
    occurrence_period: Period | None = None
    asserted_date: str | None = None  # STU3
    taken: str | None = None  # STU3
    not_done: bool | None = None  # STU3
    issue: list[OutcomeIssue] | None = None


class AnyCode(Coding):
    """A Coding, a CodeableConcept or a CodeableReference: R5 has concepts where the others have Codings."""

    coding: list[Coding] | None = None
    text: str | None = None
    concept: Concept | None = None

    @property
    def codings(self) -> list[Coding]:
        inner = self.coding or (self.concept.coding if self.concept else None)
        return inner or [self]

    @property
    def names(self) -> list[str]:
        inner = self.concept.text if self.concept else None
        return [name for name in (self.text, inner, *(coding.display for coding in self.codings)) if name]


class Series(Shape):
    modality: AnyCode | None = None
    body_site: AnyCode | None = None


class ImagingStudy(Shape):
    """In every FHIR version."""

    resource_type: str = ""
    id: str | None = None
    meta: Meta | None = None
    status: str | None = None
    subject: Reference | None = None
    patient: Reference | None = None  # STU3
    encounter: Reference | None = None
    context: Reference | None = None  # STU3
    started: str | None = None
    description: str | None = None
    modality: list[AnyCode] | None = None
    modality_list: list[AnyCode] | None = None  # STU3
    procedure_code: list[AnyCode] | None = None
    procedure: list[AnyCode] | None = None  # R5
    series: list[Series] | None = None
    issue: list[OutcomeIssue] | None = None


class Search(Shape):
    mode: str | None = None


class Entry(Shape, Generic[T]):
    resource: T | None = None
    full_url: str | None = None


class Link(Shape):
    relation: str | None = None
    url: str | None = None


class Bundle(Shape, Generic[T]):
    resource_type: str = ""
    entry: list[Entry[T]] | None = None
    link: list[Link] | None = None


class Kind(Shape):
    resource_type: str = ""
    id: str | None = None


class RawEntry(Shape):
    """An entry whose resource is decoded later, one by one. (msgspec knows no `Raw | None`: absent is empty.)"""

    resource: msgspec.Raw = msgspec.Raw()
    full_url: str | None = None


class RawBundle(Shape):
    resource_type: str = ""
    entry: list[RawEntry] | None = None
    link: list[Link] | None = None

"""FHIR JSON to facts. It drops what must not be used and says so in an `Issue`; it never guesses.

Codes match by (system, code); only final, amended or corrected results; only this patient; units by UCUM code; a value
beyond its plausible limits is missing, not clipped; a mere limit (">60") is used only where the analyte says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from functools import partial
from typing import Any

import msgspec

from cds import labels
from cds.analytes import Analyte
from cds.codes import Code
from cds.facts import Coded, Diagnosis, Drug, Imaging, Issue, Observed, Order, Person, Stay, Treatment, When
from cds.fhir import said, shapes
from cds.fhir.dates import parse
from cds.fhir.decoding import ABSENT, UNREADABLE, bundle_decoder, decoder, kind_of, shape_of, where_wrong
from cds.fhir.versions import names_of, settle
from cds.needs import Need, by_code

USABLE = {"final", "amended", "corrected"}
FACTS: dict[str, type[Coded]] = {
    "Condition": Diagnosis,
    "MedicationRequest": Drug,
    "MedicationStatement": Drug,
    "Procedure": Treatment,
    "Encounter": Stay,
    "ServiceRequest": Order,
    "ProcedureRequest": Order,
}


NOT_THEIRS = "belongs to another patient or to none"


class Reading(msgspec.Struct):
    """What one need's answer said. `failed`: the server answered with an OperationOutcome instead of data.

    `sorted`: it was asked for in the order that the need wants.
    """

    person: Person | None = None
    observed: list[Observed] = []
    coded: list[Coded] = []
    issues: list[Issue] = []
    next: str | None = None
    failed: bool = False
    sorted: bool = True
    dropped: int = 0
    withheld: bool = False
    merged: str | None = None  # into this record; "" where it is not named

    def absorb(self, more: Reading) -> None:
        """Add a further page."""
        self.observed += more.observed
        self.coded += more.coded
        self.issues += more.issues
        self.dropped += more.dropped
        self.failed = self.failed or more.failed
        self.withheld = self.withheld or more.withheld
        self.merged = more.merged if self.merged is None else self.merged
        self.next = more.next


class Reader:
    """Reads for one patient; `zone` is the EHR's, for dates without one; `names`: more references to the same person.

    Entries with a security label of `kept_out` are dropped before anything else of them is looked at.
    """

    def __init__(
        self,
        *,
        patient_id: str,
        zone: tzinfo,
        names: frozenset[str] = frozenset(),
        kept_out: frozenset[Code] = labels.kept_out(),
    ) -> None:
        self.patient_id = patient_id
        self.zone = zone
        self.names = names | {f"Patient/{patient_id}"}
        self.kept_out = kept_out

    def read(self, need: Need, raw: bytes | msgspec.Raw | shapes.Bundle[Any]) -> Reading:
        """One resource or one Bundle, which may be decoded already.

        Never raises for content: what cannot be used becomes an issue.
        """
        reading = Reading()
        read_one, names = self._reading_of(need), names_of(need.resource)
        asked_for, other = 0, 0
        found = _entries(raw, reading) if isinstance(raw, shapes.Bundle) else self._resources(need, raw, reading)
        for resource in found:
            if resource.resource_type in names:
                asked_for += 1
                if resource.meta is None or not self._withheld(resource.meta, need):
                    read_one(resource, need, reading)
                else:
                    reading.withheld = True  # and no word on which entry, or with which label
            elif resource.resource_type == "OperationOutcome":
                self._outcome(resource, need, reading)
            else:
                other += 1  # a search may include other types, but beside what it found, not in its place
        if other and not asked_for:
            reading.failed = True
            reading.issues.append(Issue(need=need.key, reason=f"something else than {need.resource} was sent"))
        return reading

    def read_each(self, needs: Sequence[Need], raws: Sequence[bytes]) -> dict[str, Reading]:
        """What each of these needs, all of one type, finds in single resources of that type; each is decoded once."""
        readings = {need.key: Reading() for need in needs}
        asked = [(need, self._reading_of(need), readings[need.key]) for need in needs]
        wanted_by = by_code(needs)
        for resource in self._singles(needs, raws, readings):
            places = said.asked_about(resource, wanted_by) if wanted_by else range(len(asked))
            for need, read_one, reading in (asked[place] for place in places):
                if resource.meta is None or not self._withheld(resource.meta, need):
                    read_one(resource, need, reading)
                else:
                    reading.withheld = True
        return readings

    def _singles(self, needs: Sequence[Need], raws: Sequence[bytes], readings: Mapping[str, Reading]) -> Iterable[Any]:
        """All at once where each has the right shape, one by one where one has not."""
        shape = shape_of(needs[0])
        try:
            found: list[Any] = decoder(list[shape]).decode(b"[" + b",".join(raws) + b"]")  # type: ignore[valid-type]
        except UNREADABLE:
            return [resource for raw in raws for resource in self._single(needs, shape, raw, readings)]
        return found

    def _single(self, needs: Sequence[Need], shape: type, raw: bytes, readings: Mapping[str, Reading]) -> Iterator[Any]:
        """What cannot be read is said where a search would have found it, as of one entry among others."""
        try:
            yield decoder(shape).decode(raw)
        except UNREADABLE as error:
            reason, source = f"not readable ({where_wrong(error)})", _name(raw)
            for need in _concerned(needs, raw):
                readings[need.key].dropped += 1
                readings[need.key].issues.append(Issue(need=need.key, reason=reason, source=source))

    def _withheld(self, meta: shapes.Meta, need: Need) -> bool:
        """Of a Patient the label is about the whole chart: `Person.restricted` says it."""
        return bool(meta.security) and need.resource != "Patient" and shapes.labelled(meta, self.kept_out)

    def _reading_of(self, need: Need) -> Callable[[Any, Need, Reading], None]:
        if need.resource == "Patient":
            return self._person
        if need.resource == "ImagingStudy":
            return self._imaging
        if need.resource != "Observation":
            return self._statement
        return partial(self._observation, _analytes(need)) if need.analytes else self._coded_observation

    def _resources(self, need: Need, raw: bytes | msgspec.Raw, reading: Reading) -> Iterable[Any]:
        """All at once where every entry has the right shape, one by one where one has not."""
        shape = shape_of(need)
        try:
            bundle = bundle_decoder(shape).decode(raw)
            if bundle.resource_type != "Bundle":
                return [decoder(shape).decode(raw)]
        except UNREADABLE:
            return self.one_by_one(need, shape, raw, reading)
        return _entries(bundle, reading)

    def one_by_one(self, need: Need, shape: type, raw: bytes | msgspec.Raw, reading: Reading) -> Iterator[Any]:
        try:
            bundle = decoder(shapes.RawBundle).decode(raw)
            if bundle.resource_type != "Bundle":
                decoder(shape).decode(raw)  # says what is wrong with this one resource
        except UNREADABLE as error:
            reading.failed = True
            reason = f"not a FHIR {need.resource} or Bundle ({where_wrong(error)})"
            reading.issues.append(Issue(need=need.key, reason=reason))
            return
        reading.next = _next(bundle)
        for entry in bundle.entry or ():
            try:
                if bytes(entry.resource) not in ABSENT:
                    yield decoder(shape).decode(entry.resource)
            except UNREADABLE as error:
                reading.dropped += 1
                reason = f"not readable ({where_wrong(error)})"
                reading.issues.append(Issue(need=need.key, reason=reason, source=_name(entry.resource)))

    def _outcome(self, found: Any, need: Need, reading: Reading) -> None:
        """A search may carry hints beside its results; only an error stands for the results."""
        severities = {issue.severity for issue in found.issue or ()} or {"error"}
        reading.failed = reading.failed or bool(severities & {"error", "fatal"})
        if worst := severities - {"information", "success"}:
            reading.issues.append(Issue(need=need.key, reason=f"the server reported: {', '.join(sorted(worst))}"))

    # --- Patient -------------------------------------------------------------------------------------------------
    def _person(self, found: shapes.Patient, _need: Need, reading: Reading) -> None:
        reading.person = Person(
            id=found.id or "",
            birth_date=parse(found.birth_date, self.zone),
            sex=found.gender if found.gender in {"male", "female", "other"} else "unknown",
            deceased=bool(found.deceased_boolean or found.deceased_date_time),
            race_codes=tuple(sorted(said.race_codes(found.extension or ()))),
            restricted=shapes.labelled(found.meta, labels.RESTRICTED),
            replaces=shapes.replaces(found.link),
        )
        reading.merged = shapes.replaced(found.link)

    # --- Observation ---------------------------------------------------------------------------------------------
    def _observation(self, wanted: said.Wanted, found: shapes.Observation, need: Need, reading: Reading) -> None:
        """The Observation itself, unless it is a mere panel, and each of its components. Code first: most are not asked for."""
        hit = said.match(found.code, wanted)
        if hit is not None:
            quantity = said.reported(hit[0], found)
            if quantity is not None or found.component is None:
                self._measured(found, hit, quantity, need, reading)
        for part in found.component or ():
            hit = said.match(part.code, wanted)
            if hit is not None:
                self._measured(found, hit, said.reported(hit[0], part), need, reading)

    def _measured(
        self,
        found: shapes.Observation,
        hit: tuple[Analyte, Code],
        quantity: shapes.QuantityShape | None,
        need: Need,
        reading: Reading,
    ) -> None:
        analyte, code = hit
        when = parse(found.effective_date_time or said.other_date(found), self.zone)
        value = said.value(analyte, quantity)
        if when is None or isinstance(value, str) or self._unusable(found):
            self._unmeasured(found, analyte, when, value if isinstance(value, str) else "no usable date", need, reading)
            return
        encounter = found.encounter or found.context
        reading.observed.append(
            Observed(
                analyte=analyte.key,
                code=code,
                quantity=value[0],
                reported=value[1],
                when=when,
                source=f"Observation/{found.id}" if found.id else "",
                encounter=encounter.reference if encounter else None,
                issued=found.issued or "",
            )
        )

    def _unmeasured(
        self, found: shapes.Observation, analyte: Analyte, when: When | None, reason: str, need: Need, reading: Reading
    ) -> None:
        """The date tells whether it is newer than the one that is used; what was cancelled is no result."""
        reading.dropped += 1
        if found.status == "entered-in-error":
            return
        dated = when if found.status != "cancelled" else None
        reason, source = f"{analyte.title}: {self._unusable(found) or reason}", said.reference_to(found)
        reading.issues.append(Issue(need=need.key, reason=reason, source=source, analyte=analyte.key, when=dated))

    def _unusable(self, found: shapes.Observation) -> str:
        if found.status not in USABLE:
            return f"status {found.status or 'missing'}"
        return "" if self.mine(found.subject) else NOT_THEIRS

    def _coded_observation(self, found: shapes.Observation, need: Need, reading: Reading) -> None:
        """An answer in codes: kept as a diagnosis of the answer (a pregnancy status of "pregnant")."""
        codings = (found.code.coding if found.code else None) or ()
        if found.value_codeable_concept is None or not any((code.system, code.code) in need.codes for code in codings):
            return
        if reason := self._unusable(found):
            reading.dropped += 1
            if found.status != "entered-in-error":
                self.complain(reading, need, reason, found)
            return
        codes, text = said.codes_of(found.value_codeable_concept)
        when = parse(found.effective_date_time or said.other_date(found), self.zone)
        reading.coded.append(
            Diagnosis(codes=codes, text=text, status="active", source=said.reference_to(found), start=when, end=None)
        )

    # --- Everything that is a statement in codes -------------------------------------------------------------------
    def _statement(self, found: shapes.Statement, need: Need, reading: Reading) -> None:
        if not self.mine(found.subject or found.patient):
            self.complain(reading, need, NOT_THEIRS, found)
            return
        if found.status == "entered-in-error" or said.word(found.verification_status) in {
            "refuted",
            "entered-in-error",
        }:
            reading.dropped += 1
            return
        self.stated(found, need, reading)

    def stated(self, found: shapes.Statement, need: Need, reading: Reading) -> None:
        """What it is about, kept as a fact; a request not to do something (doNotPerform) is none."""
        settle(found)
        if found.do_not_perform:
            reading.dropped += 1
            return
        codes, text = said.stated_codes(found)
        if not codes and not text:
            self.complain(reading, need, "neither code nor text says what it is", found)
        start, end = self._span(found)
        encounter = found.encounter or found.context
        reading.coded.append(
            FACTS[found.resource_type](
                codes=codes,
                text=text,
                status=said.word(found.clinical_status) or found.status or "",
                source=said.reference_to(found),
                certain=said.word(found.verification_status) in {"", "confirmed"},
                start=start,
                end=end,
                encounter=encounter.reference if encounter else None,
                **({"places": said.places(found)} if found.resource_type == "Encounter" else {}),
            )
        )

    # --- ImagingStudy --------------------------------------------------------------------------------------------
    def _imaging(self, found: shapes.ImagingStudy, need: Need, reading: Reading) -> None:
        """A study that took place; one that was cancelled left no images."""
        if not self.mine(found.subject or found.patient):
            self.complain(reading, need, NOT_THEIRS, found)
            return
        if found.status in {"cancelled", "entered-in-error"}:
            reading.dropped += 1
            return
        encounter = found.encounter or found.context
        codes, names = said.imaged(found)
        reading.coded.append(
            Imaging(
                codes=codes,
                text="; ".join(names),
                status=found.status or "",
                source=said.reference_to(found),
                start=parse(found.started, self.zone),
                encounter=encounter.reference if encounter else None,
            )
        )

    def _span(self, found: shapes.Statement) -> tuple[When | None, When | None]:
        period = found.period or found.onset_period or found.effective_period or found.performed_period
        period = period or shapes.Period()
        start = (
            period.start
            or found.onset_date_time
            or found.effective_date_time
            or found.performed_date_time
            or found.authored_on
            or found.recorded_date
        )
        return parse(start, self.zone), parse(period.end or found.abatement_date_time, self.zone)

    def mine(self, subject: shapes.ReferenceOnly | None) -> bool:
        """The context patient's: relative, absolute, or versioned reference."""
        reference = (subject.reference or "") if subject is not None else ""
        return reference in self.names or said.relative(reference) in self.names

    def complain(self, reading: Reading, need: Need, reason: str, found: Any) -> None:
        reading.issues.append(Issue(need=need.key, reason=reason, source=said.reference_to(found)))


def _concerned(needs: Sequence[Need], raw: bytes) -> Iterable[Need]:
    """All of them where the text does not even say what it is about."""
    wanted_by = by_code(needs)
    try:
        about = decoder(shapes.CodedParts).decode(raw)
    except UNREADABLE:
        return needs
    if not wanted_by or about.code is None:
        return needs
    return [needs[place] for place in sorted(said.asked_about(about, wanted_by))]


def _analytes(need: Need) -> said.Wanted:
    return {code: (analyte, code) for analyte in need.analytes for code in analyte.codes}


def _entries(bundle: shapes.Bundle[Any], reading: Reading) -> list[Any]:
    reading.next = _next(bundle)
    return [entry.resource for entry in bundle.entry or () if entry.resource is not None]


def _next(bundle: shapes.Bundle[Any] | shapes.RawBundle) -> str | None:
    return next((link.url for link in bundle.link or () if link.relation == "next"), None)


def _name(raw: bytes | msgspec.Raw) -> str:
    return said.reference_to(kind_of(raw))

"""FHIR JSON to facts. It drops what must not be used and says so in an `Issue`; it never guesses.

Codes match by (system, code); only final, amended or corrected results; only this patient; units by UCUM code; a value
beyond its plausible limits is missing, not clipped; a mere limit (">60") is used only where the analyte says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from functools import lru_cache, partial
from typing import Any

import msgspec

from cds import labels
from cds.analytes import UNIT_ALIASES, Analyte
from cds.codes import RACE, UCUM, Code, code_of
from cds.facts import Coded, Diagnosis, Drug, Imaging, Issue, Observed, Order, Person, Quantity, Stay, Treatment, When
from cds.fhir import shapes
from cds.fhir.dates import parse
from cds.fhir.versions import classes, names_of, settle
from cds.needs import Need

Wanted = dict[tuple[str | None, str | None], tuple[Analyte, Code]]
USABLE = {"final", "amended", "corrected"}
COMPARATORS = {"<", "<=", ">", ">="}
ABSENT = {b"", b"null"}
_WRITTEN = re.compile(r"([<>]=?)?\s*(\d{1,6}(?:\.\d{1,6})?)\s*([a-zA-Z].*)?", re.ASCII)
UNREADABLE = (
    msgspec.DecodeError,
    UnicodeDecodeError,
    RecursionError,
)  # what a decoder says of a broken or hostile text
FACTS: dict[str, type[Coded]] = {
    "Condition": Diagnosis,
    "MedicationRequest": Drug,
    "MedicationStatement": Drug,
    "Procedure": Treatment,
    "Encounter": Stay,
    "ServiceRequest": Order,
    "ProcedureRequest": Order,
}


_NOWHERE = frozenset[int]()
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

    def read(self, need: Need, raw: bytes | msgspec.Raw) -> Reading:
        """One resource or one Bundle. Never raises for content: what cannot be used becomes an issue."""
        reading = Reading()
        read_one, names = self._reading_of(need), names_of(need.resource)
        asked_for, other = 0, 0
        for resource in self._resources(need, raw, reading):
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
        by_code = _by_code(needs)
        for resource in self._singles(needs, raws, readings):
            places = _asked_about(resource, by_code) if by_code else range(len(asked))
            for need, read_one, reading in (asked[place] for place in places):
                if resource.meta is None or not self._withheld(resource.meta, need):
                    read_one(resource, need, reading)
                else:
                    reading.withheld = True
        return readings

    def _singles(self, needs: Sequence[Need], raws: Sequence[bytes], readings: Mapping[str, Reading]) -> Iterable[Any]:
        """All at once where each has the right shape, one by one where one has not."""
        shape = SHAPES.get(needs[0].resource, shapes.Statement)
        try:
            found: list[Any] = _decoder(list[shape]).decode(b"[" + b",".join(raws) + b"]")  # type: ignore[valid-type]
        except UNREADABLE:
            parts = [{need.key: list(self._resources(need, raw, readings[need.key])) for need in needs} for raw in raws]
            return [resource for part in parts for resource in part[needs[0].key]]
        return found

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
        shape = SHAPES.get(need.resource, shapes.Statement)
        try:
            bundle = _bundle_decoder(shape).decode(raw)
            if bundle.resource_type != "Bundle":
                return [_decoder(shape).decode(raw)]
        except UNREADABLE:
            return self.one_by_one(need, shape, raw, reading)
        reading.next = _next(bundle)
        return [entry.resource for entry in bundle.entry or () if entry.resource is not None]

    def one_by_one(self, need: Need, shape: type, raw: bytes | msgspec.Raw, reading: Reading) -> Iterator[Any]:
        try:
            bundle = _decoder(shapes.RawBundle).decode(raw)
            if bundle.resource_type != "Bundle":
                _decoder(shape).decode(raw)  # says what is wrong with this one resource
        except UNREADABLE as error:
            reading.failed = True
            reason = f"not a FHIR {need.resource} or Bundle ({_place(error)})"
            reading.issues.append(Issue(need=need.key, reason=reason))
            return
        reading.next = _next(bundle)
        for entry in bundle.entry or ():
            try:
                if bytes(entry.resource) not in ABSENT:
                    yield _decoder(shape).decode(entry.resource)
            except UNREADABLE as error:
                reading.dropped += 1
                reason = f"not readable ({_place(error)})"
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
            race_codes=tuple(sorted(_race_codes(found.extension or ()))),
            restricted=shapes.labelled(found.meta, labels.RESTRICTED),
        )
        reading.merged = shapes.replaced(found.link)

    # --- Observation ---------------------------------------------------------------------------------------------
    def _observation(self, wanted: Wanted, found: shapes.Observation, need: Need, reading: Reading) -> None:
        """The Observation itself, unless it is a mere panel, and each of its components. Code first: most are not asked for."""
        hit = _match(found.code, wanted)
        quantity = _reported(hit[0], found) if hit is not None else None
        if hit is not None and (quantity is not None or found.component is None):
            self._measured(found, hit, quantity, need, reading)
        if found.component is None:
            return
        for part in found.component:
            hit = _match(part.code, wanted)
            if hit is not None:
                self._measured(found, hit, _reported(hit[0], part), need, reading)

    def _measured(
        self,
        found: shapes.Observation,
        hit: tuple[Analyte, Code],
        quantity: shapes.QuantityShape | None,
        need: Need,
        reading: Reading,
    ) -> None:
        analyte, code = hit
        when = parse(found.effective_date_time or _other_date(found), self.zone)
        value, reason = _value(analyte, quantity)
        usable = found.status in USABLE and self.mine(found.subject)
        if when is None or value is None or not usable:
            reading.dropped += 1
            reason = self._unusable(found) or reason or "no usable date"
            if found.status != "entered-in-error":
                # The date tells whether it is newer than the one that is used; what was cancelled is no result.
                dated = when if found.status != "cancelled" else None
                reason, source = f"{analyte.title}: {reason}", reference_to(found)
                reading.issues.append(
                    Issue(need=need.key, reason=reason, source=source, analyte=analyte.key, when=dated)
                )
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
        codes, text = _codes(found.value_codeable_concept)
        when = parse(found.effective_date_time or _other_date(found), self.zone)
        reading.coded.append(
            Diagnosis(codes=codes, text=text, status="active", source=reference_to(found), start=when, end=None)
        )

    # --- Everything that is a statement in codes -------------------------------------------------------------------
    def _statement(self, found: shapes.Statement, need: Need, reading: Reading) -> None:
        if not self.mine(found.subject or found.patient):
            self.complain(reading, need, NOT_THEIRS, found)
            return
        if found.status == "entered-in-error" or _word(found.verification_status) in {"refuted", "entered-in-error"}:
            reading.dropped += 1
            return
        self.stated(found, need, reading)

    def stated(self, found: shapes.Statement, need: Need, reading: Reading) -> None:
        """What it is about, kept as a fact; a request not to do something (doNotPerform) is none."""
        settle(found)
        if found.do_not_perform:
            reading.dropped += 1
            return
        codes, text = _stated_codes(found)
        if not codes and not text:
            self.complain(reading, need, "neither code nor text says what it is", found)
        start, end = self._span(found)
        encounter = found.encounter or found.context
        reading.coded.append(
            FACTS[found.resource_type](
                codes=codes,
                text=text,
                status=_word(found.clinical_status) or found.status or "",
                source=reference_to(found),
                certain=_word(found.verification_status) in {"", "confirmed"},
                start=start,
                end=end,
                encounter=encounter.reference if encounter else None,
                **({"places": _places(found)} if found.resource_type == "Encounter" else {}),
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
        codes, names = _imaged(found)
        reading.coded.append(
            Imaging(
                codes=codes,
                text="; ".join(names),
                status=found.status or "",
                source=reference_to(found),
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
        return reference in self.names or relative(reference) in self.names

    def complain(self, reading: Reading, need: Need, reason: str, found: Any) -> None:
        reading.issues.append(Issue(need=need.key, reason=reason, source=reference_to(found)))


SHAPES: dict[str, type] = {
    "Patient": shapes.Patient,
    "Observation": shapes.Observation,
    "ImagingStudy": shapes.ImagingStudy,
}


@lru_cache
def _decoder(shape: type) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)


@lru_cache
def _bundle_decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shapes.Bundle[shape])


def _analytes(need: Need) -> Wanted:
    return {code: (analyte, code) for analyte in need.analytes for code in analyte.codes}


def _by_code(needs: Sequence[Need]) -> dict[tuple[str | None, str | None], set[int]]:
    """Which of them, by place, search for a code; {} where one of them searches for none, and so for all."""
    found: dict[tuple[str | None, str | None], set[int]] = {}
    for place, need in enumerate(needs):
        codes = need.all_codes
        if not codes:
            return {}
        for code in codes:
            found.setdefault(code, set()).add(place)
    return found


def _asked_about(found: shapes.Observation, by_code: Mapping[tuple[str | None, str | None], set[int]]) -> Iterable[int]:
    """Which needs a search would have found it for: by its code, or by that of a part."""
    places: set[int] = set()
    for concept in (found.code, *(part.code for part in found.component or ())):
        for coding in (concept.coding if concept is not None else None) or ():
            places |= by_code.get((coding.system, coding.code), _NOWHERE)
    return places


def _next(bundle: shapes.Bundle[Any] | shapes.RawBundle) -> str | None:
    return next((link.url for link in bundle.link or () if link.relation == "next"), None)


def _place(error: Exception) -> str:
    """Where in the JSON the shape is wrong, without the value: it may be a patient's."""
    return str(error).rpartition(" - at ")[2].strip("`") if " - at " in str(error) else "wrong shape"


def _name(raw: msgspec.Raw) -> str:
    return reference_to(kind_of(raw))


def kind_of(raw: bytes | msgspec.Raw) -> shapes.Kind:
    """Type and id, as far as they can be read."""
    try:
        found: shapes.Kind = _decoder(shapes.Kind).decode(raw)
    except UNREADABLE:
        return shapes.Kind()
    return found


def _places(found: shapes.Statement) -> tuple[str, ...]:
    """Not where the patient was before, or will be."""
    items = found.location if isinstance(found.location, list) else []
    there = [item.location for item in items if item.status in {None, "active"}]
    named = (place.reference for place in (*there, found.service_provider) if place)
    return tuple(dict.fromkeys(relative(reference) for reference in named if reference))


def relative(reference: str) -> str:
    """Type/id, of a reference that may be absolute or versioned."""
    return "/".join(reference.partition("/_history/")[0].split("/")[-2:])


def reference_to(found: Any) -> str:
    """Relative; "" for a resource without an id, which no reference can name."""
    return f"{found.resource_type}/{found.id}" if found.id else ""


def _match(concept: shapes.CodesOnly | None, wanted: Wanted) -> tuple[Analyte, Code] | None:
    """Several codings: the first that is asked for counts."""
    for coding in (concept.coding if concept is not None else None) or ():
        hit = wanted.get((coding.system, coding.code))
        if hit is not None:
            return hit
    return None


def _other_date(found: shapes.Observation) -> str | None:
    period = found.effective_period or shapes.Period()
    return found.effective_instant or period.end or period.start or found.issued


def _reported(analyte: Analyte, found: shapes.Observation | shapes.Component) -> shapes.QuantityShape | None:
    """valueQuantity, or the number that stands in valueString: laboratories write limits (">60") as text.

    A text rarely carries a unit. That of the code stands in only where every unit in which the analyte is reported gives
    the same number (eGFR: always per 1.73 m2); elsewhere it would be a guess.
    """
    if found.value_quantity is not None or not found.value_string:
        return found.value_quantity
    same_number = all(factor == (1.0, 0.0) for factor in analyte.units.values())
    written = _WRITTEN.fullmatch(found.value_string.strip()) if analyte.limits and same_number else None
    if written is None:
        return None
    comparator, number, unit = written.groups()
    return shapes.QuantityShape(value=float(number), comparator=comparator or None, unit=unit or analyte.unit)


def _value(analyte: Analyte, found: shapes.QuantityShape | None) -> tuple[tuple[Quantity, Quantity] | None, str]:
    """(canonical, reported), or None and the reason."""
    if found is None or found.value is None:
        return None, "no numeric value"
    if found.comparator and not (analyte.limits and found.comparator in COMPARATORS):
        return None, f"only a limit was reported ({found.comparator} {found.value:g})"
    unit = found.code if found.system == UCUM and found.code else (found.unit or "")
    unit = UNIT_ALIASES.get(unit, unit)
    value = analyte.convert(found.value, unit)
    if value is None:
        return None, f"unit {unit!r} not understood" if unit else "no unit"
    low, high = analyte.plausible
    if not low <= value <= high:
        return None, f"implausible value {found.value:g} {unit}"
    comparator = found.comparator or ""
    reported = Quantity(value=found.value, unit=unit, comparator=comparator)
    same = unit == analyte.unit
    return (reported if same else Quantity(value=value, unit=analyte.unit, comparator=comparator), reported), ""


def _codes(concept: shapes.Concept | None) -> tuple[frozenset[Code], str]:
    codings = (concept.coding or []) if concept else []
    display = next((coding.display for coding in codings if coding.display), None)
    text = (concept.text if concept else None) or display or ""
    return frozenset(code_of(coding.system, coding.code) for coding in codings if coding.system and coding.code), text


def _drug_codes(concept: shapes.Concept | None) -> tuple[frozenset[Code], str]:
    """With every name that the record gives: the text may be a nickname, and the display the drug."""
    codes, text = _codes(concept)
    displays = [coding.display for coding in ((concept.coding or []) if concept else []) if coding.display]
    more = [name for name in dict.fromkeys(displays) if name.lower() not in text.lower()]
    return codes, f"{text} ({', '.join(more)})" if more else text


def _stated_codes(found: shapes.Statement) -> tuple[frozenset[Code], str]:
    if found.resource_type == "Encounter":
        kinds = list(found.type or ())
        codes = frozenset[Code]().union(*(_codes(kind)[0] for kind in kinds))
        text = next((text for kind in kinds if (text := _codes(kind)[1])), "")
        kind = {code_of(one.system, one.code) for one in classes(found) if one.system and one.code}
        return codes | kind, text
    if found.medication_codeable_concept or found.medication_reference:
        named = found.medication_codeable_concept or _contained(found, found.medication_reference or shapes.Reference())
        return _drug_codes(named)
    return _codes(found.code)


def _imaged(found: shapes.ImagingStudy) -> tuple[frozenset[Code], list[str]]:
    """What was done where, in codes, and every name that the study and its procedures go by."""
    done = [*(found.procedure_code or ()), *(found.procedure or ())]
    series = [code for one in found.series or () for code in (one.modality, one.body_site) if code]
    said = [*(found.modality or ()), *(found.modality_list or ()), *done, *series]
    codings = [coding for one in said for coding in one.codings]
    codes = frozenset(code_of(coding.system, coding.code) for coding in codings if coding.system and coding.code)
    described = [found.description] if found.description else []
    return codes, list(dict.fromkeys([*described, *(name for one in done for name in one.names)]))


def _contained(found: shapes.Statement, medication: shapes.Reference) -> shapes.Concept:
    """The contained Medication's code, or at least the name that the reference displays (Epic gives no more)."""
    code = next((part.code for part in found.contained or () if f"#{part.id}" == medication.reference), None)
    return code or shapes.Concept(text=medication.display)


def _word(status: shapes.Concept | str | None) -> str:
    """STU3 has a bare code where R4 has a CodeableConcept."""
    if isinstance(status, str):
        return status
    return next((coding.code or "" for coding in (status.coding if status else None) or ()), "")


def _race_codes(extensions: Any) -> Iterator[str]:
    for extension in extensions:
        if extension.value_coding and extension.value_coding.system == RACE and extension.value_coding.code:
            yield extension.value_coding.code
        yield from _race_codes(extension.extension or ())

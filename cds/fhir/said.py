"""What the elements of a resource say, as values: never guessed, and never more than stands there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from cds.analytes import UNIT_ALIASES, Analyte
from cds.codes import RACE, UCUM, Code, code_of
from cds.facts import Quantity
from cds.fhir import shapes
from cds.fhir.versions import classes

Wanted = dict[tuple[str | None, str | None], tuple[Analyte, Code]]
COMPARATORS = {"<", "<=", ">", ">="}
_NOWHERE = frozenset[int]()
_WRITTEN = re.compile(r"([<>]=?)?\s*(\d{1,6}(?:\.\d{1,6})?)\s*([a-zA-Z].*)?", re.ASCII)


def asked_about(
    found: shapes.Observation | shapes.CodedParts, by_code: Mapping[tuple[str | None, str | None], set[int]]
) -> Iterable[int]:
    """Which needs a search would have found it for: by its code, or by that of a part."""
    if not found.component:
        return _named(found.code, by_code)
    concepts = (found.code, *(part.code for part in found.component))
    return _NOWHERE.union(*(_named(concept, by_code) for concept in concepts))


def _named(concept: shapes.CodesOnly | None, by_code: Mapping[tuple[str | None, str | None], set[int]]) -> Set[int]:
    codings = (concept.coding if concept is not None else None) or ()
    if len(codings) == 1:  # as nearly always
        return by_code.get((codings[0].system, codings[0].code), _NOWHERE)
    return _NOWHERE.union(*(by_code.get((coding.system, coding.code), _NOWHERE) for coding in codings))


def places(found: shapes.Statement) -> tuple[str, ...]:
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


def match(concept: shapes.CodesOnly | None, wanted: Wanted) -> tuple[Analyte, Code] | None:
    """Several codings: the first that is asked for counts."""
    for coding in (concept.coding if concept is not None else None) or ():
        hit = wanted.get((coding.system, coding.code))
        if hit is not None:
            return hit
    return None


def other_date(found: shapes.Observation) -> str | None:
    period = found.effective_period or shapes.Period()
    return found.effective_instant or period.end or period.start or found.issued


def reported(analyte: Analyte, found: shapes.Observation | shapes.Component) -> shapes.QuantityShape | None:
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


def value(analyte: Analyte, found: shapes.QuantityShape | None) -> tuple[Quantity, Quantity] | str:
    """(canonical, reported), or why there is none."""
    if found is None or found.value is None:
        return "no numeric value"
    if found.comparator and not (analyte.limits and found.comparator in COMPARATORS):
        return f"only a limit was reported ({found.comparator} {found.value:g})"
    unit = found.code if found.system == UCUM and found.code else (found.unit or "")
    unit = UNIT_ALIASES.get(unit, unit)
    value = analyte.judged(found.value, unit)
    if isinstance(value, str):
        return value
    comparator = found.comparator or ""
    reported = Quantity(value=found.value, unit=unit, comparator=comparator)
    if unit == analyte.unit:
        return reported, reported
    return Quantity(value=value, unit=analyte.unit, comparator=comparator), reported


def codes_of(concept: shapes.Concept | None) -> tuple[frozenset[Code], str]:
    codings = (concept.coding or []) if concept else []
    display = next((coding.display for coding in codings if coding.display), None)
    text = (concept.text if concept else None) or display or ""
    return frozenset(code_of(coding.system, coding.code) for coding in codings if coding.system and coding.code), text


def _drug_codes(concept: shapes.Concept | None) -> tuple[frozenset[Code], str]:
    """With every name that the record gives: the text may be a nickname, and the display the drug."""
    codes, text = codes_of(concept)
    displays = [coding.display for coding in ((concept.coding or []) if concept else []) if coding.display]
    more = [name for name in dict.fromkeys(displays) if name.lower() not in text.lower()]
    return codes, f"{text} ({', '.join(more)})" if more else text


def stated_codes(found: shapes.Statement) -> tuple[frozenset[Code], str]:
    if found.resource_type == "Encounter":
        kinds = list(found.type or ())
        codes = frozenset[Code]().union(*(codes_of(kind)[0] for kind in kinds))
        text = next((text for kind in kinds if (text := codes_of(kind)[1])), "")
        kind = {code_of(one.system, one.code) for one in classes(found) if one.system and one.code}
        return codes | kind, text
    if found.medication_codeable_concept or found.medication_reference:
        named = found.medication_codeable_concept or _contained(found, found.medication_reference or shapes.Reference())
        return _drug_codes(named)
    return codes_of(found.code)


def imaged(found: shapes.ImagingStudy) -> tuple[frozenset[Code], list[str]]:
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


def word(status: shapes.Concept | str | None) -> str:
    """STU3 has a bare code where R4 has a CodeableConcept."""
    if isinstance(status, str):
        return status
    return next((coding.code or "" for coding in (status.coding if status else None) or ()), "")


def race_codes(extensions: Any) -> Iterator[str]:
    for extension in extensions:
        if extension.value_coding and extension.value_coding.system == RACE and extension.value_coding.code:
            yield extension.value_coding.code
        yield from race_codes(extension.extension or ())

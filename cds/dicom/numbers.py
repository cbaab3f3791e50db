"""Measurements in a structured report (PS3.3, C.17.3: value type NUM) as facts. What is about a fetus or a phantom is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import tzinfo

from pydicom.dataset import Dataset

from cds.analytes import UNIT_ALIASES, Analyte
from cds.codes import DCM, LOINC, SNOMED, Code
from cds.dicom.moments import observed
from cds.facts import Issue, Observed, Quantity
from cds.needs import ArchiveNeed

_SYSTEMS = {"LN": LOINC, "SCT": SNOMED, "DCM": DCM}
# How patient characteristics are coded where not in LOINC (PS3.16, TID 3602 and CID 3641), by the analyte's own code.
_SAME = {
    Code(SNOMED, "50373000"): Code(LOINC, "8302-2"),
    Code(SNOMED, "27113001"): Code(LOINC, "29463-7"),
    Code(SNOMED, "60621009"): Code(LOINC, "39156-5"),
    Code(SNOMED, "271649006"): Code(LOINC, "8480-6"),
    Code(SNOMED, "271650006"): Code(LOINC, "8462-4"),
}
_SUBJECT_CLASS, _PATIENT = Code(DCM, "121024"), Code(DCM, "121025")
_CHANGES_MEANING = "HAS CONCEPT MOD"  # a mean, a maximum, a percentile: another number than the plain one


class Numbers:
    """What one report says of what is needed: `facts`, and an issue for each number that could not be used."""

    def __init__(self, report: Dataset, need: ArchiveNeed, *, zone: tzinfo) -> None:
        self.report, self.need, self.zone = report, need, zone
        self.wanted = {code: analyte for analyte in need.analytes for code in analyte.codes}
        self.source = f"urn:oid:{report.SOPInstanceUID}"
        self.certain = report.get("CompletionFlag") == "COMPLETE" and report.get("VerificationFlag") == "VERIFIED"
        self.facts: list[Observed] = []
        self.issues: list[Issue] = []
        for item in () if _about_another(report) else _numbers(report):
            self._take(item)

    def _take(self, item: Dataset) -> None:
        code = _code(item.get("ConceptNameCodeSequence"))
        code = _SAME.get(code, code) if code else None
        analyte = self.wanted.get(code) if code else None
        if code is None or analyte is None or _modified(item):
            return
        fact = self._fact(item, analyte, code)
        if isinstance(fact, Observed):
            self.facts.append(fact)
        else:
            self.issues.append(Issue(need=self.need.key, reason=fact, source=self.source, analyte=analyte.key))

    def _fact(self, item: Dataset, analyte: Analyte, code: Code) -> Observed | str:
        """Or why it cannot be used."""
        when, reported = observed(item, self.report, zone=self.zone), _reported(item)
        if when is None:
            return "without a date"
        if reported is None:
            return "no numeric value"
        value = analyte.judged(reported.value, reported.unit)
        if isinstance(value, str):
            return value
        quantity = Quantity(value=value, unit=analyte.unit)
        return Observed(
            analyte=analyte.key,
            code=code,
            quantity=quantity,
            reported=reported,
            when=when,
            source=self.source,
            certain=self.certain,
        )


def _numbers(item: Dataset) -> Iterator[Dataset]:
    """Every NUM below that is about the patient; what hangs below a NUM qualifies it."""
    for child in item.get("ContentSequence") or []:
        if child.get("ValueType") == "NUM":
            yield child
        elif not _about_another(child):
            yield from _numbers(child)


def _about_another(item: Dataset) -> bool:
    """PS3.16, TID 1006: the subject context of a container; without one, the patient."""
    classes = [
        one for one in item.get("ContentSequence") or [] if _code(one.get("ConceptNameCodeSequence")) == _SUBJECT_CLASS
    ]
    return any(_code(one.get("ConceptCodeSequence")) != _PATIENT for one in classes)


def _modified(item: Dataset) -> bool:
    return any(one.get("RelationshipType") == _CHANGES_MEANING for one in item.get("ContentSequence") or [])


def _reported(item: Dataset) -> Quantity | None:
    measured = item.get("MeasuredValueSequence")
    if not measured or measured[0].get("NumericValue") is None:
        return None
    unit = measured[0].get("MeasurementUnitsCodeSequence")
    text = str(unit[0].get("CodeValue") or "") if unit else ""
    return Quantity(value=float(measured[0].NumericValue), unit=UNIT_ALIASES.get(text, text))


def _code(sequence: Iterable[Dataset] | None) -> Code | None:
    for one in sequence or ():
        system = _SYSTEMS.get(str(one.get("CodingSchemeDesignator") or ""))
        return Code(system, str(one.get("CodeValue") or "")) if system else None
    return None

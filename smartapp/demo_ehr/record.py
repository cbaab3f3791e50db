"""What stands in one chart, as the chart page lists it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from smartapp.demo_ehr import addresses
from smartapp.demo_ehr.outcomes import Resource
from smartapp.demo_ehr.search import select
from smartapp.demo_ehr.store import chart_store

WITHDRAWN = frozenset({"entered-in-error", "refuted", "cancelled"})
WRITTEN_BY_APPS = ("RiskAssessment", "Observation", "DiagnosticReport", "ServiceRequest")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One entry: what, its value, when, and its state where that matters."""

    what: str
    value: str = ""
    when: str = ""
    state: str = ""


def problems(patient_id: str) -> list[Line]:
    found = entries("Condition", patient_id, sort="-recorded-date")
    return [Line(what=title(one["code"]), when=day(one.get("recordedDate")), state=state_of(one)) for one in found]


def medications(patient_id: str) -> list[Line]:
    found = entries("MedicationRequest", patient_id, sort="-authoredon")
    return [
        Line(what=title(one["medicationCodeableConcept"]), when=day(one.get("authoredOn")), state=one["status"])
        for one in found
    ]


def allergies(patient_id: str) -> list[Line]:
    return [Line(what=title(one["code"]), state=state_of(one)) for one in entries("AllergyIntolerance", patient_id)]


def latest(patient_id: str, category: str) -> list[Line]:
    """The newest observation of each code in the category."""
    found = entries("Observation", patient_id, sort="-date", criteria=(("category", category),))
    newest: dict[str, Resource] = {}
    for one in found:
        newest.setdefault(one["code"]["coding"][0]["code"], one)
    return [line_of(one) for one in newest.values()]


def orders(patient_id: str) -> list[Line]:
    found = entries("ServiceRequest", patient_id, sort="-authored")
    return [Line(what=title(one["code"]), when=day(one.get("authoredOn")), state=one["status"]) for one in found]


def results(patient_id: str) -> list[Line]:
    """What the registered app has saved here."""
    return [
        line_of(one)
        for kind in WRITTEN_BY_APPS
        for one in entries(kind, patient_id, sort="-_lastUpdated")
        if chart_store().author(one) == addresses.CLIENT_ID
    ]


def entries(
    kind: str, patient_id: str, *, sort: str = "_id", criteria: tuple[tuple[str, str], ...] = ()
) -> list[Resource]:
    """What is valid of one type; what was withdrawn stays in the store and off the page."""
    wanted = (("patient", patient_id), ("_sort", sort), *criteria)
    found = select(chart_store().all(kind), kind=kind, criteria=wanted)
    return [one for one in found if not {one.get("status"), status_code(one, "verificationStatus")} & WITHDRAWN]


def line_of(resource: Resource) -> Line:
    when = resource.get("effectiveDateTime") or resource.get("occurrenceDateTime") or resource.get("authoredOn")
    concept = resource.get("code") or resource.get("method") or {"text": resource["resourceType"]}
    return Line(what=title(concept), value=value_of(resource), when=day(when), state=resource["status"])


def value_of(resource: Resource) -> str:
    """The value with its unit; of a panel its components, of a risk assessment each probability in percent."""
    if "component" in resource:
        # A blood pressure reads 148/88 mm[Hg].
        values = [str(one["valueQuantity"]["value"]) for one in resource["component"] if "valueQuantity" in one]
        units = [one["valueQuantity"].get("unit", "") for one in resource["component"] if "valueQuantity" in one]
        if values and "valueQuantity" not in resource:
            return f"{'/'.join(values)} {units[0]}"
    if "prediction" in resource:
        return "; ".join(prediction_text(one) for one in resource["prediction"])
    if quantity := resource.get("valueQuantity"):
        return f"{quantity.get('comparator', '')}{quantity['value']} {quantity.get('unit', quantity.get('code', ''))}"
    return str(resource.get("valueString") or title(resource.get("valueCodeableConcept", {})))


def prediction_text(prediction: dict[str, Any]) -> str:
    probability = prediction.get("probabilityDecimal")
    outcome = title(prediction.get("outcome", {}))
    return outcome if probability is None else f"{outcome}: {probability} %"


def title(concept: dict[str, Any]) -> str:
    coding = (concept.get("coding") or [{}])[0]
    return str(concept.get("text") or coding.get("display") or coding.get("code") or "")


def state_of(resource: Resource) -> str:
    return status_code(resource, "clinicalStatus")


def status_code(resource: Resource, element: str) -> str:
    return str((resource.get(element, {}).get("coding") or [{}])[0].get("code", ""))


def day(text: str | None) -> str:
    return (text or "")[:10]

"""Records to FHIR R4 resources: plain JSON, checked against `fhir.resources` before it leaves.

R4B is that library's nearest to R4; the types written here do not differ between the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from typing import Any

from cds.codes import OBSERVATION_CATEGORY, OBSERVATION_VALUE, OURS, SNOMED, UCUM, Code
from cds.errors import FhirInvalid
from cds.records import Algorithm, ObservationRecord, OrderRecord, RiskAssessmentRecord

Resource = dict[str, Any]
Charted = ObservationRecord | RiskAssessmentRecord

IDENTIFIERS = "https://bedside.dev/fhir/identifier"
ASSESSMENT = f"{IDENTIFIERS}/assessment"
ALGORITHM = f"{IDENTIFIERS}/algorithm"
LABORATORY = Code(SNOMED, "108252007")  # R4 ServiceRequest.category, example value set
RISK_PROBABILITY = "http://terminology.hl7.org/CodeSystem/risk-probability"
PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
AI_ASSERTED = {"system": OBSERVATION_VALUE, "code": "AIAST", "display": "Artificial Intelligence asserted"}

# R4 Observation.derivedFrom; what else an assessment rests on stands in RiskAssessment.basis alone.
_DERIVED_FROM = ("Observation/", "ImagingStudy/", "DocumentReference/", "QuestionnaireResponse/")
_PERSON = re.compile(r"(^|/)(Practitioner|PractitionerRole|RelatedPerson|Patient)/[A-Za-z0-9.-]{1,64}$")


def order_as_fhir(order: OrderRecord) -> Resource:
    """A draft for the clinician to sign. On the hook's path, so its shape is validated in the tests and not here:

    importing the model takes 0.3 s, out of the 0.4 s that a hook may wait.
    """
    return {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        "category": [_concept(LABORATORY, "Laboratory procedure")],
        "code": _concept(order.code, order.display),
        "subject": {"reference": f"Patient/{order.patient_id}"},
        "reasonCode": [{"text": order.reason}],
    }


def device(algorithm: Algorithm) -> Resource:
    """The algorithm in one version: who the author is, and what the performer."""
    return {
        "resourceType": "Device",
        "identifier": [{"system": ALGORITHM, "value": f"{algorithm.name}/{algorithm.version}"}],
        "status": "active",
        "manufacturer": "Bedside",
        "deviceName": [{"name": algorithm.title, "type": "model-name"}],
        "version": [{"value": algorithm.version}],
        "type": {"text": "Artificial intelligence"},
    }


def observation(record: ObservationRecord, *, device: str) -> Resource:
    """The probability as a percentage. Never of category laboratory or vital-signs: nobody measured it."""
    value = {"value": record.value.value, "unit": record.value.unit, "system": UCUM, "code": record.value.unit}
    found = {
        "resourceType": "Observation",
        "meta": {"security": [AI_ASSERTED]},
        "text": _narrative(f"{record.display}: {record.value.value} {record.value.unit}", record.note),
        "identifier": [{"system": ASSESSMENT, "value": record.identifier}],
        "status": "final",  # "Save to chart" is the clinician's acceptance
        "category": [_concept(Code(OBSERVATION_CATEGORY, "survey"), "Survey")],
        "code": _concept(record.code, record.display),
        "subject": {"reference": f"Patient/{record.patient_id}"},
        "effectiveDateTime": instant(record.at),
        "issued": instant(record.at),
        "valueQuantity": value,
        "device": {"reference": device},
        "derivedFrom": _references(source for source in record.derived_from if source.startswith(_DERIVED_FROM)),
        "note": [{"text": record.note}] if record.note else [],
    }
    return _without_empty(found)


def risk_assessment(record: RiskAssessmentRecord, *, device: str, basis: Iterable[str]) -> Resource:
    """Present disease and no forecast: `whenPeriod` begins and ends with the assessment."""
    percent, at = as_percent(record.probability), instant(record.at)
    prediction = {
        "outcome": _concept(record.outcome, record.outcome_text),
        "probabilityDecimal": percent,
        "qualitativeRisk": {"coding": [{"system": RISK_PROBABILITY, "code": record.qualitative}]},
        "whenPeriod": {"start": at, "end": at},
        "rationale": record.rationale,
    }
    found = {
        "resourceType": "RiskAssessment",
        "meta": {"security": [AI_ASSERTED]},
        "text": _narrative(f"{record.outcome_text}: {percent} % ({record.qualitative})", record.rationale),
        "identifier": [{"system": ASSESSMENT, "value": record.identifier}],
        "status": "final",
        "method": _concept(Code(f"{OURS}/algorithm", record.algorithm.name), _titled(record.algorithm)),
        "subject": {"reference": f"Patient/{record.patient_id}"},
        "occurrenceDateTime": at,
        "performer": {"reference": device},
        "basis": _references((*basis, *record.basis)),
        "prediction": [_without_empty(prediction)],
    }
    return _without_empty(found)


def provenance(
    records: Iterable[Charted], *, targets: Iterable[str], device: str, fhir_user: str, confirmed_at: datetime
) -> Resource:
    """The algorithm wrote it, the clinician confirmed it (AI Transparency on FHIR, level 2, without its draft codes)."""
    records = tuple(records)
    agents = [{"type": _concept(Code(PARTICIPANT, "author"), "Author"), "who": {"reference": device}}]
    if _PERSON.search(fhir_user):
        agents.append({"type": _concept(Code(PARTICIPANT, "verifier"), "Verifier"), "who": {"reference": fhir_user}})
    found = {
        "resourceType": "Provenance",
        "target": _references(targets),
        "occurredDateTime": instant(max(record.at for record in records)),
        "recorded": instant(confirmed_at),
        "reason": [{"coding": [AI_ASSERTED]}],
        "agent": agents,
        "entity": [{"role": "source", "what": {"reference": source}} for source in sources_of(records)],
    }
    return _without_empty(found)


def sources_of(records: Iterable[Charted]) -> list[str]:
    """What in the chart the records rest on, each once."""
    found = [
        source
        for record in records
        for source in (record.basis if isinstance(record, RiskAssessmentRecord) else record.derived_from)
    ]
    return list(dict.fromkeys(found))


def as_percent(fraction: float) -> float:
    """RiskAssessment.prediction.probabilityDecimal is a percentage (R4, its comment and invariant ras-2)."""
    return round(fraction * 100, 1)


def instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def require_valid(resource: Resource) -> Resource:
    """The resource as it is, or FhirInvalid naming elements and rules; never their values."""
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except ValidationError as error:
        broken = [f"{'.'.join(map(str, issue['loc']))}: {issue['type']}" for issue in error.errors()]
        raise FhirInvalid(f"not a valid {resource['resourceType']}: {'; '.join(broken)}") from error
    return resource


def _concept(code: Code, display: str) -> Resource:
    return {"coding": [{"system": code.system, "code": code.code, "display": display}], "text": display}


def _titled(algorithm: Algorithm) -> str:
    return f"{algorithm.title} {algorithm.version}"


def _references(sources: Iterable[str]) -> list[Resource]:
    return [{"reference": source} for source in sources]


def _narrative(*lines: str) -> Resource:
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}</div>'}


def _without_empty(resource: Mapping[str, Any]) -> Resource:
    """FHIR knows no empty array and no empty string (R4 json, 2.6.2)."""
    return {name: value for name, value in resource.items() if value not in ([], "")}

"""Records to FHIR R4 resources: plain JSON. `cds.fhir.versions` turns them into those of another version, and
`require_valid` holds them against that version's models before they leave.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from cds.codes import OBSERVATION_CATEGORY, OURS, UCUM, Code
from cds.errors import FhirInvalid
from cds.fhir.elements import Resource, attachment, concept, instant, narrative, references, without_empty
from cds.fhir.transparency import AI_ASSERTED, IDENTIFIERS, titled
from cds.fhir.versions import Version
from cds.records import (
    ConclusionRecord,
    DiagnosticReportRecord,
    DocumentRecord,
    ObservationRecord,
    OrderRecord,
    RiskAssessmentRecord,
)

ASSESSMENT = f"{IDENTIFIERS}/assessment"
OTHER_REPORT = Code("http://terminology.hl7.org/CodeSystem/v2-0074", "OTH")  # R4 DiagnosticReport.category
RISK_PROBABILITY = "http://terminology.hl7.org/CodeSystem/risk-probability"

# R4 Observation.derivedFrom; what else an assessment rests on stands in RiskAssessment.basis alone.
_DERIVED_FROM = ("Observation/", "ImagingStudy/", "DocumentReference/", "QuestionnaireResponse/")
# fhir.resources has no R4; R4B is the nearest, and the types written here do not differ between the two.
_MODELS = {Version.STU3: ".STU3", Version.R4: ".R4B", Version.R4B: ".R4B", Version.R5: ""}


def order_as_fhir(order: OrderRecord, version: Version = Version.R4) -> Resource:
    """A draft for the clinician to sign. On the hook's path, so its shape is validated in the tests and not here:

    importing the model takes 0.3 s, out of the 0.4 s that a hook may wait.
    """
    found = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        **({"category": [concept(order.category, "Laboratory procedure")]} if order.category else {}),
        "code": concept(order.code, order.display),
        "subject": {"reference": f"Patient/{order.patient_id}"},
        "reasonCode": [{"text": order.reason}],
    }
    return version.writes(found)


def observation(record: ObservationRecord, *, device: str, status: str = "final") -> Resource:
    """The probability as a percentage. Never of category laboratory or vital-signs: nobody measured it."""
    value = {"value": record.value.value, "unit": record.value.unit, "system": UCUM, "code": record.value.unit}
    found = {
        "resourceType": "Observation",
        "meta": {"security": [AI_ASSERTED]},
        "text": narrative(f"{record.display}: {record.value.value} {record.value.unit}", record.note),
        "identifier": [{"system": ASSESSMENT, "value": record.identifier}],
        "status": status,
        "category": [concept(Code(OBSERVATION_CATEGORY, "survey"), "Survey")],
        "code": concept(record.code, record.display),
        "subject": {"reference": f"Patient/{record.patient_id}"},
        "effectiveDateTime": instant(record.at),
        "issued": instant(record.at),
        "valueQuantity": value,
        "device": {"reference": device},
        "derivedFrom": references(source for source in record.derived_from if source.startswith(_DERIVED_FROM)),
        "note": [{"text": record.note}] if record.note else [],
    }
    return without_empty(found)


def risk_assessment(
    record: RiskAssessmentRecord, *, device: str, basis: Iterable[str], status: str = "final"
) -> Resource:
    """Present disease and no forecast: `whenPeriod` begins and ends with the assessment."""
    percent, at = as_percent(record.probability), instant(record.at)
    prediction = {
        "outcome": concept(record.outcome, record.outcome_text),
        "probabilityDecimal": percent,
        "qualitativeRisk": {"coding": [{"system": RISK_PROBABILITY, "code": record.qualitative}]},
        "whenPeriod": {"start": at, "end": at},
        "rationale": record.rationale,
    }
    found = {
        "resourceType": "RiskAssessment",
        "meta": {"security": [AI_ASSERTED]},
        "text": narrative(f"{record.outcome_text}: {percent} % ({record.qualitative})", record.rationale),
        "identifier": [{"system": ASSESSMENT, "value": record.identifier}],
        "status": status,
        "method": concept(Code(f"{OURS}/algorithm", record.algorithm.name), titled(record.algorithm)),
        "subject": {"reference": f"Patient/{record.patient_id}"},
        "occurrenceDateTime": at,
        "performer": {"reference": device},
        "basis": references((*basis, *record.basis)),
        "prediction": [without_empty(prediction)],
    }
    return without_empty(found)


def conclusion(record: ConclusionRecord, *, device: str, status: str = "final") -> Resource:
    """What a rule says without a probability, as a RiskAssessment: in words (R4 asks for no number)."""
    at = instant(record.at)
    found = {
        "resourceType": "RiskAssessment",
        "meta": {"security": [AI_ASSERTED]},
        "text": narrative(record.outcome_text, record.rationale),
        "identifier": [{"system": ASSESSMENT, "value": record.identifier}],
        "status": status,
        "method": concept(Code(f"{OURS}/algorithm", record.algorithm.name), titled(record.algorithm)),
        "subject": {"reference": f"Patient/{record.patient_id}"},
        "occurrenceDateTime": at,
        "performer": {"reference": device},
        "basis": references(record.basis),
        "prediction": [{"outcome": {"text": record.outcome_text}, "rationale": record.rationale}],
    }
    return without_empty(found)


def diagnostic_report(record: DiagnosticReportRecord, *, result: Iterable[str], status: str = "final") -> Resource:
    """For EHRs that show reports and no bare observations. No version lets a Device perform one: Provenance names it."""
    found = {
        "resourceType": "DiagnosticReport",
        "meta": {"security": [AI_ASSERTED]},
        "text": narrative(record.display, record.conclusion, f"Computed by {titled(record.algorithm)}"),
        "identifier": [{"system": ASSESSMENT, "value": record.identifier}],
        "status": status,
        "category": [concept(OTHER_REPORT, "Other")],
        "code": concept(record.code, record.display),
        "subject": {"reference": f"Patient/{record.patient_id}"},
        "effectiveDateTime": instant(record.at),
        "issued": instant(record.at),
        "result": references(result),
        "conclusion": record.conclusion,
    }
    return without_empty(found)


def document_reference(record: DocumentRecord, *, device: str, status: str = "final") -> Resource:
    """The whole document inside, as EHRs fetch no attachment from elsewhere; each content says the same."""
    contents = {"text/plain; charset=utf-8": record.text.encode(), "application/pdf": record.page}
    attached = [
        attachment(content, content_type=kind, title=record.title, created=record.at)
        for kind, content in contents.items()
        if content
    ]
    found = {
        "resourceType": "DocumentReference",
        "meta": {"security": [AI_ASSERTED]},
        "text": narrative(record.title, f"Computed by {titled(record.algorithm)}"),
        "identifier": [{"system": ASSESSMENT, "value": record.identifier}],
        "status": "current",
        "docStatus": status,
        "type": concept(record.code, record.display),
        "subject": {"reference": f"Patient/{record.patient_id}"},
        "date": instant(record.at),
        "author": [{"reference": device}],
        "description": record.title,
        "content": [{"attachment": one} for one in attached],
        "context": {"related": references(record.basis)} if record.basis else "",
    }
    return without_empty(found)


def as_percent(fraction: float) -> float:
    """RiskAssessment.prediction.probabilityDecimal is a percentage (R4, its comment and invariant ras-2)."""
    return round(fraction * 100, 1)


def require_valid(resource: Resource, version: Version = Version.R4) -> Resource:
    """The resource as it is, or FhirInvalid naming elements and rules; never their values."""
    from pydantic import ValidationError

    models = import_module(f"fhir.resources{_MODELS[version]}")
    try:
        models.get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except ValidationError as error:
        broken = [f"{'.'.join(map(str, issue['loc']))}: {issue['type']}" for issue in error.errors()]
        raise FhirInvalid(f"not a valid {resource['resourceType']}: {'; '.join(broken)}") from error
    return resource

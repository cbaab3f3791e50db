"""The search parameters this hospital supports: for each type, what each looks at."""

from __future__ import annotations

from typing import NamedTuple


class Parameter(NamedTuple):
    """`kind` is the FHIR search parameter type; `paths` are elements, dots lead inwards, lists are flattened."""

    kind: str
    paths: tuple[str, ...]


def token(*paths: str) -> Parameter:
    return Parameter("token", paths)


def date(*paths: str) -> Parameter:
    return Parameter("date", paths)


def reference(*paths: str) -> Parameter:
    return Parameter("reference", paths)


def string(*paths: str) -> Parameter:
    return Parameter("string", paths)


EVERY = {"_id": token("id"), "_lastUpdated": date("meta.lastUpdated"), "identifier": token("identifier")}
OF_SUBJECT = {"patient": reference("subject"), "subject": reference("subject"), "encounter": reference("encounter")}
OF_PATIENT = {"patient": reference("patient"), "encounter": reference("encounter")}
OF_REQUEST = {
    **OF_SUBJECT,
    "code": token("code"),
    "category": token("category"),
    "status": token("status"),
    "intent": token("intent"),
}

PARAMETERS: dict[str, dict[str, Parameter]] = {
    "AllergyIntolerance": {**OF_PATIENT, "code": token("code"), "clinical-status": token("clinicalStatus")},
    "AuditEvent": {"date": date("recorded"), "entity": reference("entity.what")},
    "Condition": {
        **OF_SUBJECT,
        "code": token("code"),
        "category": token("category"),
        "clinical-status": token("clinicalStatus"),
        "verification-status": token("verificationStatus"),
        "onset-date": date("onsetDateTime", "onsetPeriod"),
        "recorded-date": date("recordedDate"),
    },
    "Device": {"patient": reference("patient"), "type": token("type"), "status": token("status")},
    "DiagnosticReport": {
        **OF_SUBJECT,
        "code": token("code"),
        "category": token("category"),
        "status": token("status"),
        "date": date("effectiveDateTime", "effectivePeriod"),
    },
    "DocumentReference": {
        "patient": reference("subject"),
        "subject": reference("subject"),
        "type": token("type"),
        "category": token("category"),
        "status": token("status"),
        "date": date("date"),
    },
    "Encounter": {
        "patient": reference("subject"),
        "subject": reference("subject"),
        "status": token("status"),
        "class": token("class"),
        "type": token("type"),
        "date": date("period"),
    },
    "FamilyMemberHistory": {
        "patient": reference("patient"),
        "code": token("condition.code"),
        "status": token("status"),
        "relationship": token("relationship"),
    },
    "Group": {"member": reference("member.entity"), "type": token("type"), "code": token("code")},
    "ImagingStudy": {**OF_SUBJECT, "status": token("status"), "started": date("started")},
    "Immunization": {
        **OF_PATIENT,
        "status": token("status"),
        "vaccine-code": token("vaccineCode"),
        "date": date("occurrenceDateTime"),
    },
    "MedicationRequest": {
        **OF_REQUEST,
        "code": token("medicationCodeableConcept"),
        "authoredon": date("authoredOn"),
    },
    "MedicationStatement": {
        "patient": reference("subject"),
        "subject": reference("subject"),
        "code": token("medicationCodeableConcept"),
        "status": token("status"),
        "effective": date("effectiveDateTime", "effectivePeriod"),
    },
    "Observation": {
        **OF_SUBJECT,
        "code": token("code"),
        "category": token("category"),
        "status": token("status"),
        "date": date("effectiveDateTime", "effectivePeriod", "effectiveInstant"),
        "derived-from": reference("derivedFrom"),
    },
    "Organization": {"name": string("name"), "active": token("active")},
    "Patient": {
        "birthdate": date("birthDate"),
        "family": string("name.family"),
        "given": string("name.given"),
        "name": string("name.family", "name.given", "name.text"),
        "gender": token("gender"),
    },
    "Practitioner": {"family": string("name.family"), "name": string("name.family", "name.given", "name.text")},
    "Procedure": {
        **OF_SUBJECT,
        "code": token("code"),
        "status": token("status"),
        "date": date("performedDateTime", "performedPeriod"),
    },
    "Provenance": {"patient": reference("target"), "target": reference("target"), "recorded": date("recorded")},
    "RiskAssessment": {
        **OF_SUBJECT,
        "method": token("method"),
        "performer": reference("performer"),
        "date": date("occurrenceDateTime", "occurrencePeriod"),
        "condition": reference("condition"),
    },
    "ServiceRequest": {**OF_REQUEST, "authored": date("authoredOn"), "requester": reference("requester")},
    "Subscription": {"status": token("status"), "url": string("channel.endpoint")},
}


def parameters_of(kind: str) -> dict[str, Parameter]:
    """What one may search the type by, the parameters of every resource included."""
    return {**EVERY, **PARAMETERS[kind]}

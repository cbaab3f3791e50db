"""Every difference between FHIR STU3, R4, R4B and R5 that matters here; everything else in `cds` speaks R4.

- Reading: no member that we read means different things in different versions. So the shapes take the members of all
  four, and `settle` moves what a resource says to where R4 has it, in R4's words. It need not know the version.
- Which version: a server's CapabilityStatement says it (`dialect_in`); the EHR's row keeps it.
- Asking: `Version.asks` names a need's resource as the version does.
- Writing: resources are built as R4; `Version.writes` turns one into the version's. R4B has R4's elements in all of them.

Source: the resource definitions and the R3-R4 and R4-R5 differences of FHIR 3.0.2, 4.0.1, 4.3.0 and 5.0.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from cds.codes import STU3_NAMES
from cds.fhir.elements import Resource
from cds.fhir.shapes import CodeableReference, Coding, Concept, Shape, Statement
from cds.needs import Need

FHIR_JSON = "application/fhir+json"
# What R4 merged into one type goes by R4's name in every need.
_STU3_TYPES = {"ServiceRequest": "ProcedureRequest"}


class Version(StrEnum):
    """Named as the media type's parameter `fhirVersion` does (R4 http, "FHIR Version Parameter")."""

    STU3 = "3.0"
    R4 = "4.0"
    R4B = "4.3"
    R5 = "5.0"

    @classmethod
    def of(cls, fhir_version: str) -> Version | None:
        """Of a CapabilityStatement's fhirVersion, such as "4.0.1"; None for one that is not spoken here."""
        number = ".".join(fhir_version.strip().split(".")[:2])
        return cls(number) if number in {one.value for one in cls} else None

    @property
    def subscribes_by_search(self) -> bool:
        """May a Subscription have search criteria? (R5 has topics only)"""
        return self is not Version.R5

    def calls(self, resource: str) -> str:
        """The type's name there."""
        return _STU3_TYPES.get(resource, resource) if self is Version.STU3 else resource

    def asks(self, need: Need) -> Need:
        """The need, in the version's words: its search, its prefetch template and its scope follow."""
        name = self.calls(need.resource)
        return need if name == need.resource else replace(need, resource=name)

    def writes(self, resource: Resource) -> Resource:
        """An R4 resource as this version has it."""
        if self in {Version.R4, Version.R4B}:
            return resource
        found = _rewritten(resource, _WRITING[self])
        return _renamed(found) if self is Version.STU3 else found


class Dialect(NamedTuple):
    """How a server is spoken to: in which version, and whether each request must say so (`named`).

    A server that has several versions at one address tells them apart by the media type (R4 http, "FHIR Version
    Parameter"). Others may not know the parameter, so they are not sent it.
    """

    version: Version
    named: bool = False

    @property
    def media_type(self) -> str:
        return f"{FHIR_JSON}; fhirVersion={self.version.value}" if self.named else FHIR_JSON


def spoken() -> str:
    """For people: "STU3 (3.0), R4 (4.0), ... or R5 (5.0)"."""
    *first, last = [f"{one.name} ({one.value})" for one in Version]
    return f"{', '.join(first)} or {last}"


R4 = Dialect(Version.R4)


class _Statement(Shape):
    """Of a CapabilityStatement."""

    fhir_version: str = ""
    format: list[str] = []


def dialect_in(metadata: bytes) -> Dialect | None:
    """As a CapabilityStatement has it; None for a version that is not spoken here. Raises msgspec.DecodeError."""
    found = msgspec.json.decode(metadata, type=_Statement)
    version = Version.of(found.fhir_version)
    return Dialect(version, named=any("fhirVersion" in one for one in found.format)) if version else None


def names_of(resource: str) -> tuple[str, ...]:
    """Every name of this type, R4's first."""
    return (resource, _STU3_TYPES[resource]) if resource in _STU3_TYPES else (resource,)


# --- Reading -----------------------------------------------------------------------------------------------------
_ENCOUNTER = {"completed": "finished", "discharged": "finished", "discontinued": "finished", "on-hold": "onleave"}  # R5
_REQUEST = {"suspended": "on-hold", "cancelled": "revoked"}  # STU3, ProcedureRequest
_PROCEDURE = {"suspended": "on-hold", "aborted": "stopped"}  # STU3
_PRESCRIPTION = {"ended": "stopped"}  # R5: "should no longer be taking the medication"
_TAKEN = {"n": "not-taken", "unk": "unknown"}  # STU3, MedicationStatement.taken


def settle(found: Statement) -> None:
    """Move what another version says elsewhere, or in other words, to where R4 has it."""
    move = _SETTLING.get(found.resource_type)
    if move is not None:
        move(found)


def _encounter(found: Statement) -> None:
    """R5: several classes, each a CodeableConcept; actualPeriod."""
    found.status = _ENCOUNTER.get(found.status or "", found.status)
    found.period = found.period or found.actual_period


def classes(found: Statement) -> list[Coding]:
    """Encounter.class: one Coding until R4B."""
    if isinstance(found.klass, list):
        return [coding for concept in found.klass for coding in concept.coding or ()]
    return [found.klass] if found.klass else []


def _request(found: Statement) -> None:
    """R5: code is a CodeableReference."""
    found.code = _concept(found.code)
    if found.resource_type != "ServiceRequest":
        found.status = _REQUEST.get(found.status or "", found.status)


def _concept(found: CodeableReference | None) -> CodeableReference | None:
    inner = found.concept if found else None
    return CodeableReference(coding=inner.coding, text=inner.text) if inner else found


def _medication(found: Statement) -> None:
    """R5: one CodeableReference instead of medicationCodeableConcept and medicationReference."""
    if found.medication:
        found.medication_codeable_concept = found.medication_codeable_concept or found.medication.concept
        found.medication_reference = found.medication_reference or found.medication.reference


def _prescription(found: Statement) -> None:
    _medication(found)
    found.status = _PRESCRIPTION.get(found.status or "", found.status)


def _medication_statement(found: Statement) -> None:
    """Whether it is taken: R4's status; STU3's `taken` beside it; R5's adherence, where the status says "recorded"."""
    _medication(found)
    found.status = _TAKEN.get(found.taken or "", found.status)
    if found.status == "recorded":
        found.status = _adherence(found.adherence.code if found.adherence else None)


def _adherence(code: Concept | None) -> str:
    """R5 medication-statement-adherence, which says in one code whether and how it is taken."""
    said = next((coding.code or "" for coding in (code.coding if code else None) or ()), "")
    for beginning, status in (
        ("taking", "active"),
        ("on-hold", "on-hold"),
        ("stopped", "stopped"),
        ("not-", "not-taken"),
    ):
        if said.startswith(beginning):
            return status
    return "unknown"


def _condition(found: Statement) -> None:
    """STU3: assertedDate."""
    found.recorded_date = found.recorded_date or found.asserted_date


def _procedure(found: Statement) -> None:
    """R5: occurrence[x] instead of performed[x]. STU3: notDone beside the status."""
    found.performed_date_time = found.performed_date_time or found.occurrence_date_time
    found.performed_period = found.performed_period or found.occurrence_period
    found.status = "not-done" if found.not_done else _PROCEDURE.get(found.status or "", found.status)


_SETTLING: Mapping[str, Callable[[Statement], None]] = {
    "Condition": _condition,
    "Encounter": _encounter,
    "MedicationRequest": _prescription,
    "MedicationStatement": _medication_statement,
    "Procedure": _procedure,
    "ProcedureRequest": _request,
    "ServiceRequest": _request,
}


# --- Writing -----------------------------------------------------------------------------------------------------
Rewrite = Callable[[Any], Resource]  # R4's value of one element -> the elements that the version has in its place


def _dropped(_: Any) -> Resource:
    return {}


def _as(name: str, by: Callable[[Any], Any] = lambda value: value) -> Rewrite:
    return lambda value: {name: by(value)}


def _first(values: list[Any]) -> Any:
    return values[0]


def _each(by: Callable[[Any], Any]) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [by(value) for value in values]


def _codings(concepts: list[Resource]) -> list[Resource]:
    return [coding for concept in concepts for coding in concept.get("coding", ())]


def _referable(concept: Resource) -> Resource:
    """A CodeableReference."""
    return {"concept": concept}


def _unlabelled(meta: Resource) -> Resource:
    """Without the profiles: those of the AI Transparency guide are written for R4."""
    found = {name: value for name, value in meta.items() if name != "profile"}
    return {"meta": found} if found else {}


def _stu3_agent(agent: Resource) -> Resource:
    """STU3 has one list of roles, and its example names authors by v3 ParticipationType."""
    roles = [_PARTICIPATION.get(coding["code"]) or coding for coding in _codings([agent["type"]])]
    is_role = "PractitionerRole/" in agent["who"].get(
        "reference", ""
    )  # which STU3 lets an agent be by its address alone
    who = {"whoUri": agent["who"]["reference"]} if is_role else {"whoReference": agent["who"]}
    return {"role": [{"coding": roles}], **who}


def _v3(code: str, display: str) -> Resource:
    return {"system": "http://hl7.org/fhir/v3/ParticipationType", "code": code, "display": display}


_PARTICIPATION = {"author": _v3("AUT", "author (originator)"), "verifier": _v3("VRF", "verifier")}


def _stu3_text(notes: list[Resource]) -> str:
    return "\n".join(note["text"] for note in notes)


def _stu3_related(sources: list[Resource]) -> list[Resource]:
    """STU3 Observation.related points to Observation, QuestionnaireResponse and Sequence alone."""
    there = [one for one in sources if one["reference"].startswith(("Observation/", "QuestionnaireResponse/", "urn:"))]
    return [{"type": "derived-from", "target": source} for source in there]


def _sized(content: Resource) -> Resource:
    """R5: Attachment.size is an integer64, which JSON has as a string."""
    attachment = content["attachment"]
    return content | {"attachment": attachment | {"size": str(attachment["size"])}}


def _r5_entity(entity: Resource) -> Resource:
    """R5 has no role "derivation" any more."""
    return entity | {"role": "source"} if entity["role"] == "derivation" else entity


_EVERYWHERE: Mapping[str, Rewrite] = {"meta": _unlabelled, "extension": _dropped}
_WRITING: Mapping[Version, Mapping[str, Mapping[str, Rewrite]]] = {
    Version.STU3: {
        "Device": {
            "deviceName": _as("model", lambda names: _first(names)["name"]),
            "modelNumber": _dropped,  # the identifier has it
            "version": _as("version", lambda versions: _first(versions)["value"]),
        },
        "DiagnosticReport": {"category": _as("category", _first)},
        "DocumentReference": {
            "category": _as("class", _first),
            "date": _as("indexed"),
            "context": _as("context", lambda context: {"related": [{"ref": one} for one in context["related"]]}),
        },
        "Observation": {"derivedFrom": _as("related", _stu3_related), "note": _as("comment", _stu3_text)},
        "Provenance": {
            "occurredDateTime": _as("period", lambda at: {"start": at, "end": at}),
            "reason": _as("reason", _codings),
            "activity": _as("activity", lambda concept: _first(_codings([concept]))),
            "agent": _as("agent", _each(_stu3_agent)),
            "entity": _as("entity", _each(lambda one: {"role": one["role"], "whatReference": one["what"]})),
        },
        "RiskAssessment": {"identifier": _as("identifier", _first), "note": _as("comment", _stu3_text)},
        "ServiceRequest": {"resourceType": lambda name: {"resourceType": _STU3_TYPES[name]}},
    },
    Version.R5: {
        "Device": {
            # R5 has no "model-name"; the model's name is what people call it by.
            "deviceName": _as("name", _each(lambda one: {"value": one["name"], "type": "user-friendly-name"})),
            "type": _as("type", lambda concept: [concept]),
        },
        "DocumentReference": {"content": _as("content", _each(_sized)), "context": _dropped},
        "Provenance": {
            "reason": _as("authorization", _each(_referable)),
            "entity": _as("entity", _each(_r5_entity)),
        },
        "ServiceRequest": {"code": _as("code", _referable), "reasonCode": _as("reason", _each(_referable))},
    },
}


def _rewritten(resource: Resource, writing: Mapping[str, Mapping[str, Rewrite]]) -> Resource:
    rules = {**_EVERYWHERE, **writing.get(resource["resourceType"], {})}
    found: Resource = {}
    for name, value in resource.items():
        if name == "contained":
            found[name] = [_rewritten(inner, writing) for inner in value]
        else:
            found |= rules[name](value) if name in rules else {name: value}
    return {name: value for name, value in found.items() if value != []}


def _renamed(value: Any) -> Any:
    """With the names that code systems have in STU3."""
    if isinstance(value, list):
        return [_renamed(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: STU3_NAMES.get(inner, inner) if name == "system" and isinstance(inner, str) else _renamed(inner)
        for name, inner in value.items()
    }

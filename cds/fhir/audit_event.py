"""An audit entry as a FHIR R4 AuditEvent, after the patterns of IHE BALP (Basic Audit Log Patterns).

People are named by keyed hashes, also where BALP expects a reference to the Patient: `what.identifier`. An entry is about
one patient at most, so it is one event, as BALP wants it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from msgspec import Struct

from cds.codes import OURS

Resource = dict[str, Any]

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_REST = f"{_TERMINOLOGY}/audit-event-type"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit"
_SOURCE, _DESTINATION = "110153", "110152"  # DICOM PS3.16 CID 402: who sends the data, who gets them
_NAME, _ADDRESS = "1", "2"  # network-type: machine name, IP address


class Noted(Struct, frozen=True, kw_only=True):
    """What the event is made of. `observer`: our own base URL; `fhir_base`: the EHR's, or ""."""

    number: int
    action: str
    recorded_at: datetime
    actor: str
    observer: str
    address: str = ""
    patient_key: str = ""
    subject: str = ""
    detail: Mapping[str, str | int] = {}
    fhir_base: str = ""


class _Pattern(NamedTuple):
    """How an action of ours reads in FHIR. `we_ask`: we are the client, the EHR the server."""

    action: str
    type: tuple[str, str]
    subtype: tuple[str, str] | None = None
    profile: str = ""
    we_ask: bool = False


_OPERATION = _Pattern("E", (_REST, "rest"), (_INTERACTION, "operation"))
_SETTINGS = _Pattern("U", (_DCM, "110113"), (_DCM, "110129"))  # Security Alert: Security Configuration
_TRAIL = _Pattern("E", (_DCM, "110101"))  # Audit Log Used
_OTHER = _Pattern("E", (_DCM, "110100"))  # Application Activity
_STOPPED = _Pattern("E", (_DCM, "110113"), (_DCM, "110132"))  # Security Alert: Use of Restricted Function
_LOGIN = _Pattern("E", (_DCM, "110114"), (_DCM, "110122"))  # User Authentication: Login
_LOGOUT = _Pattern("E", (_DCM, "110114"), (_DCM, "110123"))  # User Authentication: Logout
_EMERGENCY = (_DCM, "110113"), (_DCM, "110127")  # Security Alert: Emergency Override Started
_EXPORT = _Pattern("R", (_DCM, "110106"))  # Export
_PATTERNS = {
    "hook": _OPERATION,
    "feedback": _OPERATION,
    "view": _Pattern("R", (_REST, "rest"), (_INTERACTION, "read"), profile="Read"),
    "write-back": _Pattern("C", (_REST, "rest"), (_INTERACTION, "create"), profile="Create", we_ask=True),
    "predict-call": _OPERATION,
    "launch": _LOGIN,
    "sign-in": _LOGIN,
    "sign-in-refused": _LOGIN,
    "sign-in-locked": _STOPPED,
    "emergency-sign-in": _Pattern("E", *_EMERGENCY),
    "logout": _LOGOUT,
    "sign-out": _LOGOUT,
    "refusal": _STOPPED,
    "restricted": _STOPPED,
    "opted-out": _STOPPED,
    "break-glass": _Pattern("R", *_EMERGENCY),
    "batch-read": _EXPORT,
    "take-worklist-csv": _EXPORT,
    "take-worklist-group": _EXPORT,
    "take-worklist-list": _EXPORT,
    "configure": _SETTINGS,
    "switch-off": _SETTINGS,
    "raise-stage": _SETTINGS,
    "lower-stage": _SETTINGS,
    "change-settings": _SETTINGS,
    "approve-model": _SETTINGS,
    "roll-back-model": _SETTINGS,
    "rotate-key": _SETTINGS,
    "rotate-field-keys": _SETTINGS,
    "purge": _TRAIL,
    "export-audit": _TRAIL,
    "verify-audit": _TRAIL,
}
_FILED = _Pattern("C", (_DCM, "110104"))  # DICOM Instances Transferred: no REST of FHIR
_MARKED = _Pattern("U", (_REST, "rest"), (_INTERACTION, "update"), profile="Update", we_ask=True)
_REFUSALS = {"refusal", "sign-in-refused", "sign-in-locked", "restricted", "opted-out"}
_WRONG = {400, 413, 415, 429}  # of what was sent, not of who sent it


def audit_event(noted: Noted) -> Resource:
    pattern = _pattern(noted)
    event: Resource = {
        "resourceType": "AuditEvent",
        "id": f"bedside-{noted.number}",
        "type": _coding(*pattern.type),
        "subtype": [_coding(*pattern.subtype)] if pattern.subtype else [],
        "action": pattern.action,
        "recorded": noted.recorded_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "outcome": _outcome(noted),
        "outcomeDesc": str(noted.detail.get("reason", "")),
        "agent": _agents(noted, pattern),
        "source": {"observer": _identified(noted.observer)},
        "entity": _entities(noted),
    }
    if pattern.profile and _fits_balp(noted, event):
        whose = "Patient" if noted.patient_key else ""
        event["meta"] = {"profile": [f"{_BALP}.{whose}{pattern.profile}"]}
    return {name: value for name, value in event.items() if value}


def _pattern(noted: Noted) -> _Pattern:
    """A result is created in the chart, marked there later, or filed in the archive."""
    if noted.action == "write-back" and noted.detail.get("target") == "archive":
        return _FILED
    if noted.action == "write-back" and noted.detail.get("aim", "write") != "write":
        return _MARKED
    return _PATTERNS.get(noted.action, _OTHER)


def _fits_balp(noted: Noted, event: Resource) -> bool:
    """BALP's profiles are for what succeeded, not what begins or waits, and name the network of client and server."""
    done = event["outcome"] == "0" and noted.detail.get("step", "sent") == "sent"
    return done and all("network" in agent for agent in event["agent"][:2])


def _outcome(noted: Noted) -> str:
    """0 success, 4 minor failure (what was sent was wrong, or not taken), 8 serious failure (somebody may not, something
    broke)."""
    if noted.action in _REFUSALS:
        return "4" if noted.detail.get("status") in _WRONG else "8"
    if noted.detail.get("step") == "declined":
        return "4"
    failed = "failed" in {noted.detail.get("step"), noted.detail.get("status")} or noted.detail.get("broken_at")
    return "8" if failed else "0"


def _agents(noted: Noted, pattern: _Pattern) -> list[Resource]:
    """The client, the server and the person, for REST; else whoever acted."""
    if pattern.type != (_REST, "rest"):
        return [_person(noted) | _network(noted.address, _ADDRESS)]
    us = {"who": _identified(noted.observer), "requestor": False} | _network(_host(noted.observer), _NAME)
    if pattern.we_ask:
        them = {"who": _identified(noted.fhir_base), "requestor": False} | _network(_host(noted.fhir_base), _NAME)
        client, server = us, them
    else:
        client = {"who": _identified(noted.address or noted.fhir_base), "requestor": False}
        client |= _network(noted.address, _ADDRESS) or _network(_host(noted.fhir_base), _NAME)
        server = us
    # BALP: data flow from the server to the client at a read, from the client to the server at all else.
    sent, got = (server, client) if pattern.action == "R" else (client, server)
    sent["type"], got["type"] = _concept(_DCM, _SOURCE), _concept(_DCM, _DESTINATION)
    return [client, server, _person(noted)]


def _person(noted: Noted) -> Resource:
    who = _identified(noted.actor, system=f"{OURS}/audit-actor")
    return {"type": _concept(f"{_TERMINOLOGY}/v3-ParticipationType", "IRCP"), "who": who, "requestor": True}


def _entities(noted: Noted) -> list[Resource]:
    detail = [{"type": name, "valueString": str(value)} for name, value in noted.detail.items() if str(value)]
    subject = _entity("2", "4", _identified(noted.subject or noted.action, system=f"{OURS}/audit-subject"))
    if detail:
        subject["detail"] = detail
    if not noted.patient_key:
        return [subject]
    patient = {"type": "Patient", **_identified(noted.patient_key, system=f"{OURS}/audit-patient")}
    return [subject, _entity("1", "1", patient)]


def _entity(kind: str, role: str, what: Resource) -> Resource:
    """audit-entity-type 1 person, 2 system object; object-role 1 patient, 4 domain resource."""
    return {
        "what": what,
        "type": _coding(f"{_TERMINOLOGY}/audit-entity-type", kind),
        "role": _coding(f"{_TERMINOLOGY}/object-role", role),
    }


def _identified(value: str, *, system: str = "") -> Resource:
    return {"identifier": {"system": system, "value": value} if system else {"value": value or "unknown"}}


def _network(address: str, kind: str) -> Resource:
    return {"network": {"address": address, "type": kind}} if address else {}


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _coding(system: str, code: str) -> Resource:
    return {"system": system, "code": code}


def _concept(system: str, code: str) -> Resource:
    return {"coding": [_coding(system, code)]}

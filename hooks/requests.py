"""Reads a CDS Hooks request: tolerant of what we do not know, clear about what we cannot use."""

from __future__ import annotations

import re

import msgspec

from cds.errors import BadInput
from cds.service import DecisionService

# FHIR R4 "id": what may stand in a URL of ours towards the EHR. A slash would change the path.
_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


class Authorization(msgspec.Struct):
    """CDS Hooks 2.0.1, "FHIR Resource Access". The token is transient: it is used and forgotten."""

    access_token: str = ""
    token_type: str = ""
    expires_in: int | None = None
    scope: str = ""
    subject: str = ""
    patient: str | None = None

    def __repr__(self) -> str:
        return "Authorization(...)"


class HookRequest(msgspec.Struct, rename="camel"):
    """CDS Hooks 2.0.1, "Calling a CDS Service". Unknown members are ignored."""

    hook: str = ""
    hook_instance: str = ""
    fhir_server: str | None = None
    fhir_authorization: Authorization | None = None
    context: dict[str, msgspec.Raw] | None = None
    prefetch: dict[str, msgspec.Raw] | None = None

    def __repr__(self) -> str:
        return f"HookRequest({self.hook})"


_decoder = msgspec.json.Decoder(HookRequest)


def parse(body: bytes, service: DecisionService) -> HookRequest:
    """The request, or BadInput (400) that says what is wrong without repeating a value."""
    try:
        request = _decoder.decode(body)
    except msgspec.ValidationError as error:
        place = str(error).rpartition(" - at ")[2]
        raise BadInput(f"the request has the wrong shape at {place}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput("the request is not JSON") from error
    if request.hook != service.hook:
        raise BadInput(f"{service.id} answers the hook {service.hook}, not the one that was sent")
    if request.context is None:
        raise BadInput("the request has no context")
    return request


def patient_id(request: HookRequest) -> str:
    """context.patientId, which must be an id and the token's patient."""
    found = _text(request, "patientId")
    if found is None:
        raise BadInput("context.patientId is missing")
    if not _FHIR_ID.fullmatch(found):
        raise BadInput("context.patientId is not a FHIR id (letters, digits, '-' and '.', at most 64)")
    allowed = request.fhir_authorization.patient if request.fhir_authorization else None
    if allowed and allowed.removeprefix("Patient/") != found:
        raise BadInput("fhirAuthorization is for another patient than context.patientId")
    return found


def encounter_id(request: HookRequest) -> str | None:
    """context.encounterId, if there is one."""
    found = _text(request, "encounterId")
    if found and not _FHIR_ID.fullmatch(found):
        raise BadInput("context.encounterId is not a FHIR id")
    return found or None


def user(request: HookRequest) -> str:
    """context.userId, as Type/id; "" if it is missing."""
    return _text(request, "userId") or ""


def _text(request: HookRequest, name: str) -> str | None:
    raw = (request.context or {}).get(name)
    try:
        return msgspec.json.decode(raw, type=str | None) if raw is not None else None
    except msgspec.ValidationError as error:
        raise BadInput(f"context.{name} is not a text") from error

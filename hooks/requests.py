"""Reads a CDS Hooks request: tolerant of what we do not know, clear about what we cannot use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec

from cds.errors import BadInput
from cds.facts import FHIR_ID
from cds.fhir.decoding import UNREADABLE, shape_of
from cds.fhir.shapes import Bundle
from cds.gather import Prefetch
from cds.service import DecisionService
from hooks.library import HOOKS, Field

T = TypeVar("T")
# FHIR R4 "id": what may stand in a URL of ours towards the EHR. A slash would change the path.
_NOTHING = (b"null", b'""')
_NULL = msgspec.Raw(b"null")
_BEGINS = {"id": b'"', "text": b'"', "array": b"[", "object": b"{"}
_MUST_BE = {"id": "a text", "text": "a text", "array": "an array", "object": "an object"}


class Authorization(msgspec.Struct):
    """CDS Hooks 2.0.1, "FHIR Resource Access". The token is transient: it is used and forgotten."""

    access_token: str = ""
    token_type: str = ""
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
    prefetch: Prefetch | None = None

    def __repr__(self) -> str:
        return f"HookRequest({self.hook})"


def parse(body: bytes, service: DecisionService) -> HookRequest:
    """The request, or BadInput (400) that says what is wrong without repeating a value."""
    try:
        request = _at_once(body, service) or _by_key(body)
    except msgspec.ValidationError as error:
        place = str(error).rpartition(" - at ")[2]
        raise BadInput(f"the request has the wrong shape at {place}") from error
    except UNREADABLE as error:
        raise BadInput("the request is not JSON") from error
    if request.hook not in service.hooks:
        hooks = " and ".join(service.hooks)
        raise BadInput(f"{service.id} answers the hook {hooks}, not the one that was sent")
    if request.context is None:
        raise BadInput("the request has no context")
    for field in HOOKS[request.hook].fields:
        _check(field, request.context.get(field.name))
    return request


class _ByKey(HookRequest):
    """What was prefetched is left as it came, for each key to be read, and found fault with, by itself."""

    prefetch: dict[str, msgspec.Raw] | None = None


_decoder = msgspec.json.Decoder(_ByKey)


def _by_key(body: bytes) -> HookRequest:
    request = _decoder.decode(body)
    return _without_gaps(request, request.prefetch or {})


def _at_once(body: bytes, service: DecisionService) -> HookRequest | None:
    """Everything in one pass; None where anything of it has not the shape that the service's needs expect."""
    try:
        request = _decoder_for(service).decode(body)
    except UNREADABLE:
        return None
    sent = msgspec.structs.asdict(request.prefetch) if request.prefetch else {}
    if any(isinstance(found, Bundle) and found.resource_type != "Bundle" for found in sent.values()):
        return None
    return _without_gaps(request, sent)


@cache
def _decoder_for(service: DecisionService) -> msgspec.json.Decoder[Any]:
    searched = {need.key: Bundle[shape_of(need)] | None for need in service.needs if need.query}  # type: ignore[misc]
    fields = [(key, shape | msgspec.UnsetType, msgspec.UNSET) for key, shape in searched.items()]
    others = [(key, msgspec.Raw, msgspec.Raw()) for key in {"patient", "encounter"} - searched.keys()]
    prefetch = msgspec.defstruct("Prefetch", [*fields, *others])
    request = msgspec.defstruct("Request", [("prefetch", prefetch | None, None)], bases=(HookRequest,), rename="camel")
    return msgspec.json.Decoder(request)


def _without_gaps(request: HookRequest, sent: Mapping[str, Any]) -> HookRequest:
    """A key that was not sent is not there, one that came empty is None."""
    there = {key: found for key, found in sent.items() if found is not msgspec.UNSET and found != msgspec.Raw()}
    request.prefetch = {key: None if found == _NULL else found for key, found in there.items()}
    return request


def _check(field: Field, raw: msgspec.Raw | None) -> None:
    """There, if it must be, and of the right kind: the library says what each hook's context holds."""
    if raw is None or memoryview(raw) in _NOTHING:
        if field.required:
            raise BadInput(f"context.{field.name} is missing")
        return
    if memoryview(raw)[:1] != _BEGINS[field.kind]:
        raise BadInput(f"context.{field.name} is not {_MUST_BE[field.kind]}")
    if field.kind == "id" and not re.fullmatch(FHIR_ID, _decoded(raw, field.name, str)):
        raise BadInput(f"context.{field.name} is not a FHIR id (letters, digits, '-' and '.', at most 64)")


def patient_id(request: HookRequest) -> str:
    """context.patientId, which must be the token's patient."""
    found = _text(request, "patientId")
    allowed = request.fhir_authorization.patient if request.fhir_authorization else None
    if allowed and allowed.removeprefix("Patient/") != found:
        raise BadInput("fhirAuthorization is for another patient than context.patientId")
    return found


def encounter_id(request: HookRequest) -> str | None:
    """context.encounterId, if there is one."""
    return _text(request, "encounterId") or None


def user(request: HookRequest) -> str:
    """context.userId, as Type/id; "" where the hook has none."""
    return _text(request, "userId")


def patient(request: HookRequest) -> msgspec.Raw | None:
    """The Patient as it was prefetched."""
    found = (request.prefetch or {}).get("patient")
    return found if isinstance(found, msgspec.Raw) else None


def orders(request: HookRequest) -> msgspec.Raw | None:
    """The Bundle of unsigned orders, where the hook carries one."""
    return (request.context or {}).get(HOOKS[request.hook].orders)


def selections(request: HookRequest) -> tuple[str, ...]:
    """context.selections of order-select, references to the drafts that were chosen just now; other hooks have none."""
    if not any(field.name == "selections" for field in HOOKS[request.hook].fields):
        return ()
    raw = (request.context or {}).get("selections")
    return tuple(_decoded(raw, "selections", list[str])) if raw is not None else ()


def _text(request: HookRequest, name: str) -> str:
    raw = (request.context or {}).get(name)
    return "" if raw is None or memoryview(raw) in _NOTHING else _decoded(raw, name, str)


def _decoded(raw: msgspec.Raw, name: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREADABLE as error:
        raise BadInput(f"context.{name} has the wrong shape") from error

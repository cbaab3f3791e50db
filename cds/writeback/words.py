"""What went wrong, for the person who pressed: what happened and what to do; no address and nothing of the patient."""

from __future__ import annotations

from cds.errors import CdsError, FhirError, FhirRefused, FhirUnreachable

_LONGEST = 300
_SAID = {
    401: "The session at the EHR is over.",
    409: "The EHR was busy with the same record.",
    410: "What it is about was deleted at the EHR.",
    412: "The EHR has it several times or in a newer version.",
    423: "The record is locked at the EHR.",
    429: "The EHR asks Bedside to wait.",
}


def said(error: CdsError) -> str:
    """One sentence or two, and the error's class for whoever is asked about it."""
    return f"{_happened(error)} ({kind(error)})"[:_LONGEST]


def given_up(failure: str) -> str:
    return f"Given up after days of trying. {failure}"[:_LONGEST]


def unexpected(error: Exception) -> str:
    return f"Bedside made a mistake; an administrator finds it in the log. ({type(error).__name__})"[:_LONGEST]


def kind(error: CdsError) -> str:
    detail = error.http_status if isinstance(error, FhirError) else None
    return f"{type(error).__name__} {detail}" if detail else type(error).__name__


def _happened(error: CdsError) -> str:
    match error:
        case FhirError(http_status=int(status)) if status in _SAID:
            return _SAID[status]
        case FhirUnreachable():
            return "The EHR did not answer in time, or not in a usable way."
        case FhirRefused():
            return "The EHR does not allow it for this user and this app."
        case FhirError(http_status=int()):
            return "The EHR did not accept it."
        case _:
            return f"{str(error)[:1].upper()}{str(error)[1:]}."

"""One address of an export is asked until it answers: the kick-off, the status, a further page of the manifest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from datetime import timedelta

import requests
from django.utils import timezone

from cds.bulk.pace import Fetching, due, passes, put_off
from cds.errors import FhirError, FhirInvalid, FhirRefused, FhirUnreachable, Gone
from cds.fhir.client import reason_in
from cds.models import Export

logger = logging.getLogger(__name__)

PATIENCE = timedelta(hours=24)  # for one export
IN_VAIN = 10  # times in a row without any answer: with growing pauses, half an hour

Asked = Callable[[], requests.Response]


def insist(export: Export, ask: Asked, *, about: str) -> Generator[Fetching, None, requests.Response]:
    """Ask until there is an answer that is not "later"; each pause is one in which the caller may stop.

    Raises FhirUnreachable where nobody answers, or for too long says "later".
    """
    in_vain = 0
    while True:
        yield from due(export)
        if timezone.now() - export.begun_at > PATIENCE:
            export.begun_at = timezone.now()  # who resumes it waits another day
            export.save(update_fields=["begun_at"])
            raise FhirUnreachable(f"The EHR did not finish {about} within a day.")
        try:
            response = ask()
        except FhirUnreachable:
            in_vain += 1
            if in_vain == IN_VAIN:
                raise
            put_off(export, "")
            continue
        if not passes(response):
            return response
        in_vain += response.status_code not in {429, 503}  # these say that somebody is there
        if in_vain == IN_VAIN:
            raise FhirUnreachable(f"The EHR failed at {about} again and again ({response.status_code}).")
        put_off(export, response.headers.get("Retry-After", ""))


def await_manifest(export: Export, session: requests.Session, url: str) -> Generator[Fetching, None, bytes]:
    """The manifest, or a page of it. Raises Gone where the EHR knows the export no longer, FhirError where it gave up."""
    while True:
        response = yield from insist(export, lambda: ask_status(session, url), about="its export")
        export.progress = "".join(one for one in response.headers.get("X-Progress", "") if one.isprintable())[:100]
        if response.status_code == 200:
            export.tries = 0
            return response.content
        if response.status_code != 202:
            raise _given_up(export, response)
        put_off(export, response.headers.get("Retry-After", ""))


def ask_status(session: requests.Session, url: str) -> requests.Response:
    return session.get(url, headers={"Accept": "application/json"}, allow_redirects=False)


def _given_up(export: Export, response: requests.Response) -> FhirError | Gone:
    """The message is for an administrator; the EHR's own text may speak of a patient. Who resumes it asks anew."""
    status, issue = response.status_code, reason_in(response)
    reason = f"{status}, {issue}" if issue else str(status)
    logger.error("an export ended with %s", reason)
    if status in {404, 410}:
        return Gone("The EHR knows its export no longer: it was deleted there, or it expired.")
    if status in {401, 403}:
        return FhirRefused(f"The EHR does not let us see its export ({reason}).", http_status=status, issue=issue)
    export.status_url = None
    export.save(update_fields=["status_url"])
    return FhirInvalid(f"The EHR gave up its export ({reason}).", http_status=status, issue=issue)

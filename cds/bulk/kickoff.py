"""The export is asked for: of a Group, of all patients, or of the whole system (Bulk Data, "Bulk Data Kick-off Request")."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable
from urllib.parse import quote, urlencode, urljoin

import msgspec
import requests

from cds.bulk.pace import Fetching
from cds.bulk.polling import insist
from cds.codes import Code
from cds.errors import FhirInvalid, FhirRefused
from cds.fhir.client import reason_in
from cds.http import origin
from cds.models import Export
from cds.needs import Need

logger = logging.getLogger(__name__)

_HEADERS = {"Accept": "application/fhir+json", "Prefer": "respond-async"}
_NOT_THERE = {404, 405, 501}
_NOT_SO = {400, 405, 406, 414, 415}  # to a GET by a server of STU4, which takes POST alone, or that is too long for it
_UNWANTED = range(400, 429)  # with _typeFilter


class NoExport(Exception):
    """The EHR has no such operation."""


Parameters = list[tuple[str, str]]


def narrowed(
    export: Export, session: requests.Session, parameters: Parameters, filters: Parameters
) -> Generator[Fetching, None, str]:
    """With `_typeFilter`; where the EHR refuses that, without: whatever comes is picked through here all the same."""
    try:
        return (yield from kick_off(export, session, [*parameters, *filters]))
    except NoExport:
        if not filters:
            raise
    except FhirInvalid as error:
        if not filters or error.http_status not in _UNWANTED:
            raise
    logger.warning("run %s: the EHR takes no _typeFilter, and is asked for all of each type", export.run_id)
    return (yield from kick_off(export, session, parameters))


def type_filters(needs: Iterable[Need]) -> Parameters:
    """By type one search for all the codes that the needs ask for; none of a type of which a need asks for all."""
    needs, found = list(needs), list[tuple[str, str]]()
    whole = {need.resource for need in needs if not need.all_codes}
    for kind in sorted({need.resource for need in needs} - whole):
        codes = sorted(frozenset[Code]().union(*(need.all_codes for need in needs if need.resource == kind)))
        query = urlencode({"code": ",".join(f"{one.system}|{one.code}" for one in codes)})
        found.append(("_typeFilter", f"{kind}?{query}"))
    return found


def kick_off(export: Export, session: requests.Session, parameters: Parameters) -> Generator[Fetching, None, str]:
    """The address where the EHR says how far its export is.

    First by GET, which STU1 to STU3 require, then by POST, as STU4 has it. Everybody is asked for at the patient level,
    or, where that is missing, at that of the system. Raises NoExport where there is none of them.
    """
    for path in _paths(export.run.detail):
        for ask in (_get, _post):
            url = f"{export.run.ehr.fhir_base.rstrip('/')}/{path}"  # type: ignore[union-attr]  # an export is an EHR's
            response = yield from insist(export, lambda: ask(session, url, parameters), about="its export")  # noqa: B023 -- called at once
            if response.status_code == 202:
                return _status_url(response, url, session)
            if response.status_code not in _NOT_THERE | _NOT_SO:
                raise _refused(response)
        if response.status_code not in _NOT_THERE and reason_in(response) != "not-supported":
            raise _refused(response)
    raise NoExport


def _paths(group: str) -> list[str]:
    return [f"Group/{quote(group, safe='')}/$export"] if group else ["Patient/$export", "$export"]


def _get(session: requests.Session, url: str, parameters: Parameters) -> requests.Response:
    """Several values of one parameter in one, by comma: what older servers know."""
    names = dict.fromkeys(name for name, _ in parameters)
    query = {name: ",".join(value for other, value in parameters if other == name) for name in names}
    return session.get(f"{url}?{urlencode(query)}", headers=_HEADERS, allow_redirects=False)


def _post(session: requests.Session, url: str, parameters: Parameters) -> requests.Response:
    given = [{"name": name, _member(name): value} for name, value in parameters]
    body = msgspec.json.encode({"resourceType": "Parameters", "parameter": given})
    headers = {**_HEADERS, "Content-Type": "application/fhir+json"}
    return session.post(url, data=body, headers=headers, allow_redirects=False)


def _member(name: str) -> str:
    return "valueInstant" if name == "_since" else "valueString"


def _status_url(response: requests.Response, url: str, session: requests.Session) -> str:
    """Content-Location, absolute as it must be or not; at a host that may have our token."""
    said = response.headers.get("Content-Location", "")
    if not said:
        raise FhirInvalid("The EHR began an export and does not say where it stands (Content-Location).")
    place = urljoin(url, said)
    if origin(place) not in session.get_adapter(url).origins:  # type: ignore[attr-defined]  # the bounded one
        raise FhirInvalid(f"The EHR's export stands at a host that is not registered: {origin(place)}.")
    return place


def _refused(response: requests.Response) -> FhirInvalid | FhirRefused:
    status, issue = response.status_code, reason_in(response)
    reason = f"{status}, {issue}" if issue else str(status)
    if status in {401, 403}:
        return FhirRefused(f"The EHR does not let us export this ({reason}).", http_status=status, issue=issue)
    return FhirInvalid(f"The EHR did not begin an export ({reason}).", http_status=status, issue=issue)

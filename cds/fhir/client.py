"""fhirclient's REST layer with our limits: same origin only, bounded in time and size, no redirects."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import msgspec
import requests
from fhirclient.server import FHIRServer

from cds.errors import FhirError, FhirInvalid, FhirRefused, FhirUnreachable
from cds.fhir.decoding import UNREADABLE
from cds.fhir.searches import Searches
from cds.fhir.versions import R4, Dialect, Version
from cds.needs import Need

_CODE = re.compile(r"[a-z-]{1,40}")  # of the value set issue-type, which has no capitals
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}


class FhirServer(FHIRServer):  # type: ignore[misc]
    """One FHIR base. `session` carries the token (an Authlib session) and the limits (cds.http).

    `opens`: may the token read what this need asks for? Without knowing its scopes, the server will say.
    `dialect`: in which FHIR version it is spoken to; found out when it is first spoken to. `searches`: how it is asked.
    """

    def __init__(
        self,
        base_uri: str,
        *,
        session: requests.Session,
        opens: Callable[[Need], bool] = lambda _: True,
        dialect: Callable[[], Dialect] = lambda: R4,
        searches: Callable[[], Searches] = Searches,
    ) -> None:
        super().__init__(None, base_uri=base_uri)
        self.session = session
        self.opens = opens
        self._find_dialect = dialect
        self._find_searches = searches

    @cached_property
    def dialect(self) -> Dialect:
        return self._find_dialect()

    @cached_property
    def searches(self) -> Searches:
        """After the dialect, which may have to be read where this stands, too."""
        return self._find_searches()

    @property
    def version(self) -> Version:
        return self.dialect.version

    def get(self, path: str) -> bytes:
        """The body of a read, a search or a further page."""
        return self._send("GET", self.within_base(path)).content

    def read(self, path: str) -> tuple[Any, str]:
        """A resource and its version as an ETag, "" where the server has no versions (R4 http, "Versioning")."""
        response = self._send("GET", self.within_base(path))
        try:
            found = msgspec.json.decode(response.content)
            known = found.get("meta", {}).get("versionId", "")
        except (*UNREADABLE, AttributeError) as error:
            raise FhirInvalid("the answer is not a resource", url=response.url) from error
        return found, response.headers.get("ETag") or (f'W/"{known}"' if known else "")

    def request_json(self, path: str, nosign: bool = False) -> Any:
        content = self.get(path)
        try:
            return msgspec.json.decode(content)
        except UNREADABLE as error:
            raise FhirInvalid("the answer is not JSON", url=self.within_base(path)) from error

    def post_json(self, path: str, resource_json: Any, nosign: bool = False, **headers: str) -> requests.Response:
        """Create, or, at the base (""), a batch or transaction. `headers`: If-None-Exist and the like."""
        body = msgspec.json.encode(resource_json)
        return self._send(
            "POST", self.within_base(path), data=body, headers={"Content-Type": self.dialect.media_type, **headers}
        )

    def put_json(self, path: str, resource_json: Any, nosign: bool = False, **headers: str) -> requests.Response:
        body = msgspec.json.encode(resource_json)
        return self._send(
            "PUT", self.within_base(path), data=body, headers={"Content-Type": self.dialect.media_type, **headers}
        )

    def delete(self, path: str, *, if_match: str = "") -> None:
        """With `if_match`, only that version: what somebody has changed since is theirs, too."""
        self._send("DELETE", self.within_base(path), headers={"If-Match": if_match} if if_match else {})

    def update(self, path: str, resource: Any, *, if_match: str) -> None:
        """Put back what `read` gave, unless there is a newer version by now."""
        self.put_json(path, resource, False, **({"If-Match": if_match} if if_match else {}))

    def within_base(self, path: str) -> str:
        """The absolute URL; a leading slash would drop the base path, another origin would be handed the token."""
        base = str(self.base_uri)
        url = urljoin(base, path.lstrip("/") if "://" not in path else path)
        climbs = ".." in unquote(urlsplit(url).path).split("/")  # requests would resolve it on the way out
        if climbs or (not url.startswith(base) and url.rstrip("/") != base.rstrip("/")):
            raise FhirError("a link that leaves the FHIR base", url=url)
        return url if path else base.rstrip("/")

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        headers = {"Accept": self.dialect.media_type, **options.pop("headers", {})}
        response = self.session.request(method, url, headers=headers, allow_redirects=False, **options)
        status = response.status_code
        if status < 400:
            return response
        kind = FhirUnreachable if status in _TRY_AGAIN else FhirRefused if status in {401, 403} else FhirInvalid
        error = kind(f"{method} was answered with {status}", url=url, http_status=status, issue=reason_in(response))
        error.retry_after = seconds_in(response.headers.get("Retry-After", ""))
        raise error


class _Issue(msgspec.Struct):
    severity: str = ""
    code: str = ""


class _Outcome(msgspec.Struct):
    issue: list[_Issue] = []


def reason_in(response: requests.Response) -> str:
    """Why it was refused, as a code: of the token (RFC 6750, 3.1) or of the first issue of an OperationOutcome."""
    if "insufficient_scope" in response.headers.get("WWW-Authenticate", ""):
        return "insufficient_scope"
    try:
        issues = msgspec.json.decode(response.content, type=_Outcome).issue
    except UNREADABLE:
        return ""
    codes = [issue.code for issue in issues if issue.severity in {"fatal", "error"}]
    return codes[0] if codes and _CODE.fullmatch(codes[0]) else ""


def seconds_in(retry_after: str) -> float | None:
    """Retry-After: seconds, or a date (RFC 9110, 10.2.3); None where it says nothing usable."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())

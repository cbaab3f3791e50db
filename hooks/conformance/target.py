"""The service under test, as its client sees it: one base URL, our key if it knows one, every answer within limits."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import requests
from msgspec import Struct

from cds.errors import FhirError
from cds.http import bounded
from hooks.conformance.signing import Signer
from hooks.conformance.verdicts import Failed

Service = dict[str, Any]
JSON = "application/json"


class Target(Struct, frozen=True, kw_only=True):
    """`base` is what stands before /cds-services; `samples` are requests that the user brought, by hook."""

    base: str
    session: requests.Session
    signer: Signer | None = None
    samples: dict[str, dict[str, Any]] = {}

    @property
    def discovery_url(self) -> str:
        return f"{self.base}/cds-services"

    def url(self, service_id: str) -> str:
        return f"{self.discovery_url}/{service_id}"

    def token(self, audience: str) -> str | None:
        return self.signer.good(audience) if self.signer else None

    def discover(self) -> requests.Response:
        return self._send("GET", self.discovery_url, token=self.token(self.discovery_url))

    def post(self, url: str, body: Any) -> requests.Response:
        """A well-signed call; `body` as bytes is sent as it is."""
        return self.post_with(self.token(url), url, body)

    def post_with(self, token: str | None, url: str, body: Any) -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._send("POST", url, token=token, data=data)

    def _send(self, method: str, url: str, *, token: str | None, data: bytes | None = None) -> requests.Response:
        headers = {"Accept": JSON, "Content-Type": JSON}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            return self.session.request(method, url, data=data, headers=headers, allow_redirects=False)
        except FhirError as error:
            raise Failed(f"no answer: {error}") from error


def target(
    base: str, *, signer: Signer | None, private_network: bool, samples: Iterable[dict[str, Any]] = ()
) -> Target:
    """The base may be given with or without /cds-services at its end."""
    base = base.rstrip("/").removesuffix("/cds-services")
    session = bounded(requests.Session(), origins=(base,), private_network=private_network)
    return Target(base=base, session=session, signer=signer, samples={str(body.get("hook")): body for body in samples})


def as_json(answer: requests.Response) -> Any:
    """The body; Failed if it is not JSON or does not say that it is."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != JSON and not kind.endswith("+json"):
        raise Failed(f"the Content-Type is {kind or 'missing'}, not {JSON}")
    try:
        return json.loads(answer.content)
    except ValueError as error:
        raise Failed("the body is not JSON") from error


def expect(answer: requests.Response, *statuses: int) -> requests.Response:
    if answer.status_code not in statuses:
        raise Failed(f"answered {answer.status_code} instead of {' or '.join(str(status) for status in statuses)}")
    return answer


def refused(answer: requests.Response) -> None:
    if not 400 <= answer.status_code < 500:
        raise Failed(f"answered {answer.status_code} instead of refusing it")


def none_wrong(faults: Iterable[str]) -> None:
    """Failed, with every fault on a line of its own."""
    found = list(faults)
    if found:
        raise Failed("\n".join(found))

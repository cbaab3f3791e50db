"""Our own access to an EHR, where no user is: SMART Backend Services (SMART App Launch 2.2, "Backend Services").

A token is asked for with a fresh assertion, kept in this process until shortly before it expires, and asked for once
however many threads want it. It is written nowhere.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import msgspec
import requests
from authlib.integrations.base_client import OAuthError
from requests import HTTPError
from requests.auth import AuthBase

from cds import scopes
from cds.configuration import published
from cds.connect import client_for, session_for
from cds.errors import FhirInvalid, FhirRefused, FhirUnreachable
from cds.fhir.client import FhirServer
from cds.models import Ehr
from cds.oauth import system_client_of
from cds.smart_configuration import SmartConfiguration

logger = logging.getLogger(__name__)

EARLY_SECONDS = 30  # before a token ends it is not used any more: a request may take so long
SHORT_SECONDS = 300  # what the guide allows, for an answer without `expires_in`
SKEWED_SECONDS = 60  # our assertions live for minutes: a clock that is further off explains a refusal
_LEVELS = ("system",)


class _Answer(msgspec.Struct):
    """The token response. `scope` is required; a server that leaves it out granted what was asked (RFC 6749, 5.1)."""

    access_token: str
    token_type: str
    scope: str | None = None
    expires_in: int = SHORT_SECONDS


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """A token and what it opens; `until` is a moment of `time.monotonic()`."""

    token: str
    scopes: tuple[str, ...]
    until: float

    def __repr__(self) -> str:
        return "Granted(...)"


_Key = tuple[int, str, str, str]  # the EHR, its base, our client id there, the scopes
_granted: dict[_Key, Granted] = {}
_asking: defaultdict[_Key, threading.Lock] = defaultdict(threading.Lock)


def system_client(ehr: Ehr, *, needed: Iterable[str], wanted: Iterable[str] = ()) -> FhirServer:
    """A FHIR client with a token of our own, renewed as long as the client is used; what it needs as in `access_to`."""
    return access_to(ehr, needed=needed, wanted=wanted).client()


def access_to(ehr: Ehr, *, needed: Iterable[str], wanted: Iterable[str] = ()) -> Access:
    """`needed` and `wanted` are interactions such as "Patient.rs". What is needed must be granted, or FhirRefused names
    it before any work begins; what is only wanted is used if it is granted (`may`, and `opens` of the client).
    """
    needed = sorted(needed)
    access = Access(ehr, [f"system/{one}" for one in sorted({*needed, *wanted})])
    access.given = access.granted().scopes
    if missing := [one for one in needed if not _covered(one, access.given)]:
        raise FhirRefused(f"the EHR did not grant our system client: {', '.join(missing)}", url=ehr.fhir_base)
    return access


def _covered(interaction: str, granted: tuple[str, ...]) -> bool:
    resource, _, letters = interaction.partition(".")
    return all(scopes.allow(granted, resource, letter, levels=_LEVELS) for letter in letters)


class Access(AuthBase):
    """Signs each request with a token that is still good; on a 401 once more with a new one."""

    def __init__(self, ehr: Ehr, asked: list[str]) -> None:
        if not ehr.system_client_id:
            raise FhirRefused("no client id for work without a user is entered for this EHR", url=ehr.fhir_base)
        self.ehr, self.asked, self.given = ehr, asked, tuple[str, ...]()
        self.key = (ehr.pk, ehr.fhir_base, ehr.system_client_id, " ".join(asked))

    def client(self) -> FhirServer:
        opens = partial(scopes.opens, self.given, levels=_LEVELS)
        return client_for(self.ehr, self.session(), opens=opens)

    def may(self, resource: str, letter: str) -> bool:
        """Was it granted? `letter`: one of `cruds`."""
        return scopes.allow(self.given, resource, letter, levels=_LEVELS)

    def session(self, *, origins: tuple[str, ...] = ()) -> requests.Session:
        """Reaches the FHIR base, and `origins` where their files lie elsewhere and the token may go there."""
        session = session_for(self.ehr, origins=origins)
        session.auth = self
        return session

    def granted(self) -> Granted:
        with _asking[self.key]:
            known = _granted.get(self.key)
            if known is None or known.until <= time.monotonic():
                known = _granted[self.key] = _ask(self.ehr, self.asked)
            return known

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.granted().token}"
        request.register_hook("response", self._once_more)  # type: ignore[no-untyped-call]
        return request

    def _once_more(self, response: Any, **options: Any) -> requests.Response:
        """A 401 on a token that should be good: the server has ended it; a second 401 is the answer."""
        request: requests.PreparedRequest = response.request
        used = request.headers["Authorization"]
        if response.status_code != 401 or getattr(request, "asked_again", False):
            return response  # type: ignore[no-any-return]
        known = _granted.get(self.key)
        if known is not None and used == f"Bearer {known.token}":
            _granted.pop(self.key, None)
        again = request.copy()
        again.asked_again = True  # type: ignore[attr-defined]
        again.headers["Authorization"] = f"Bearer {self.granted().token}"
        return response.connection.send(again, **options)  # type: ignore[no-any-return]


def forget() -> None:
    """Ask anew for every token."""
    _granted.clear()


def _ask(ehr: Ehr, asked: list[str]) -> Granted:
    configuration = published(ehr)
    if not configuration.token_endpoint:
        raise FhirInvalid("the EHR names no token end point", url=ehr.fhir_base)
    scope = " ".join(_spoken(asked, configuration))
    session = system_client_of(ehr, token_endpoint=configuration.token_endpoint)
    session.register_compliance_hook("access_token_response", partial(_note_skew, ehr))
    asked_at = time.monotonic()
    answer = _fetch(session, configuration.token_endpoint, scope, ehr=ehr)
    if answer.token_type.lower() != "bearer":
        raise FhirInvalid("the EHR gave a token of an unknown type", url=ehr.fhir_base)
    until = asked_at + max(answer.expires_in - EARLY_SECONDS, answer.expires_in / 2)
    given = scope if answer.scope is None else answer.scope
    return Granted(token=answer.access_token, scopes=tuple(given.split()), until=until)


def _fetch(session: Any, endpoint: str, scope: str, *, ehr: Ehr) -> _Answer:
    try:
        return msgspec.convert(
            dict(session.fetch_token(endpoint, grant_type="client_credentials", scope=scope)), _Answer, strict=False
        )
    except HTTPError as error:
        status = error.response.status_code
        raise FhirUnreachable("the EHR's token end point failed", url=endpoint, http_status=status) from error
    except OAuthError as error:
        raise FhirRefused(f"the EHR gave our system client no token ({error.error:.40})", url=ehr.fhir_base) from error
    except ValueError as error:  # no JSON, or not of this shape
        raise FhirInvalid("the EHR's token answer cannot be read", url=endpoint) from error


def _spoken(asked: list[str], configuration: SmartConfiguration) -> list[str]:
    """A server that says nothing of versions may know Backend Services all the same, which came with version 2."""
    says_1 = "permission-v1" in configuration.capabilities and "permission-v2" not in configuration.capabilities
    return [scopes.as_version_1(scope) for scope in asked] if says_1 else asked


def _note_skew(ehr: Ehr, response: requests.Response) -> requests.Response:
    """Clocks that differ are the usual reason why a server takes no assertion."""
    if response.status_code in {400, 401} and (apart := _clocks_apart(response)) > SKEWED_SECONDS:
        logger.error("EHR %s gave no token, and its clock and ours are %d seconds apart", ehr.pk, apart)
    return response


def _clocks_apart(response: requests.Response) -> float:
    """Seconds; 0 where the server does not tell its time."""
    try:
        return abs(parsedate_to_datetime(response.headers["Date"]).timestamp() - time.time())
    except (KeyError, ValueError):
        return 0.0

"""Our authorization server: Authlib's, for one grant and one way to prove who asks (SMART App Launch 2.2, "Backend Services").

It answers with the errors of RFC 6749, 5.2; why a caller was not let in stands in the log and the audit trail.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec
from authlib.oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import OAuth2Request, grants
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError, OAuth2Error
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone

from cds import audit
from cds.errors import Refused
from smartapp.backend import assertions
from smartapp.backend.models import AccessToken, BackendClient

logger = logging.getLogger(__name__)

LIFE_SECONDS = 300  # SMART: expires_in SHOULD NOT exceed it
TOKEN_BYTES = 32  # 256 bits
_FORM = "application/x-www-form-urlencoded"
_MOST_BYTES = 16_384


def token_url() -> str:
    """By the address that we are known by, never one made from the Host header: assertions must name it as `aud`."""
    return f"{settings.BASE_URL}{reverse('backend-token')}"


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


class Grant(grants.ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]

    def validate_requested_scope(self) -> None:
        """SMART requires it, where plain OAuth does not."""
        if not (self.request.payload.scope or "").strip():
            raise InvalidRequestError("scope is required")


class TokenServer(AuthorizationServer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.register_token_generator(
            "default",
            BearerTokenGenerator(lambda **_: secrets.token_urlsafe(TOKEN_BYTES), expires_generator=LIFE_SECONDS),
        )
        self.register_client_auth_method("private_key_jwt", _by_assertion)
        self.register_grant(Grant)

    def query_client(self, client_id: str) -> BackendClient | None:
        known = BackendClient.objects.select_related("ehr")
        return known.filter(client_id=client_id, active=True, ehr__active=True).first()

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        """Only its hash; what has expired goes."""
        client, now = request.client, timezone.now()
        AccessToken.objects.filter(expires_at__lt=now).delete()
        AccessToken.objects.create(
            token_hash=hash_of(token["access_token"]),
            client=client,
            scope=token["scope"],
            expires_at=now + timedelta(seconds=LIFE_SECONDS),
        )
        audit.record("token", actor=client.actor, ehr=client.ehr, subject="token", scope=token["scope"])

    def create_oauth2_request(self, request: HttpRequest) -> OAuth2Request:
        """The body's parameters only: what stands in the address would end in logs."""
        made = OAuth2Request(str(request.method), token_url(), headers=request.headers)
        made.payload = BasicOAuth2Payload(request.POST.dict())
        return made

    def handle_response(self, status: int, body: dict[str, Any], headers: list[tuple[str, str]]) -> HttpResponse:
        return HttpResponse(msgspec.json.encode(body), status=status, headers=dict(headers))

    def handle_error_response(self, request: Any, error: OAuth2Error) -> HttpResponse:
        return refusal(error)

    def send_signal(self, name: str, *_: Any, **__: Any) -> None:
        """Nobody listens."""


@cache
def server() -> TokenServer:
    return TokenServer()


def issue(request: HttpRequest) -> HttpResponse:
    """A token, or an error of RFC 6749, 5.2."""
    try:
        _check_form(request)
    except InvalidRequestError as error:
        return refusal(error)
    answer: HttpResponse = server().create_token_response(request)
    return answer


def _check_form(request: HttpRequest) -> None:
    if request.content_type != _FORM:
        raise InvalidRequestError(f"the body is not {_FORM}")
    if int(request.META.get("CONTENT_LENGTH") or 0) > _MOST_BYTES:
        raise InvalidRequestError("the body is too long")
    if any(len(values) > 1 for _, values in request.POST.lists()):
        raise InvalidRequestError("a parameter is repeated")
    if "grant_type" not in request.POST:
        raise InvalidRequestError("grant_type is missing")


def _by_assertion(find: Any, request: OAuth2Request) -> BackendClient | None:
    form: Mapping[str, str] = request.payload.data
    try:
        return assertions.caller(find, form, audience=token_url())
    except Refused as error:
        _note(str(error))
        return None


def refusal(error: OAuth2Error) -> HttpResponse:
    """What is said never repeats what was sent; of a failed authentication one sentence says it all."""
    body = {"error": error.error}
    if isinstance(error, InvalidClientError):
        body["error_description"] = "The caller could not be authenticated."
    else:
        _note(str(error.error))
        if isinstance(error, InvalidRequestError):
            body["error_description"] = str(error.description)
    return JsonResponse(body, status=400, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _note(reason: str) -> None:
    logger.warning("a token was refused: %s", reason)
    audit.record("refusal", actor="unknown", subject="token", status=400, reason=reason[:200])

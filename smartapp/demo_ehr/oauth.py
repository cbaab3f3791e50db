"""The token endpoint: a code, a refresh token or a signed assertion for an access token; and revocation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from smartapp.demo_ehr import addresses, conformance, tokens
from smartapp.demo_ehr.authorize import REFRESH
from smartapp.demo_ehr.clients import InvalidClient, require_client
from smartapp.demo_ehr.context import OpenChart, opened
from smartapp.demo_ehr.grants import access_token, revoked
from smartapp.demo_ehr.scopes import grantable

USER_SECONDS = 900
BACKEND_SECONDS = 300
REFRESH_SECONDS = 8 * 3600

used_codes = tokens.OnceOnly()
used_refresh_tokens = tokens.OnceOnly()


class TokenError(Exception):
    """An error of RFC 6749, 5.2."""


@csrf_exempt
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    form = {name: str(value) for name, value in request.POST.items()}
    try:
        if any(len(values) > 1 for _, values in request.POST.lists()):
            raise TokenError("invalid_request")
        answer = GRANTS.get(form.get("grant_type", ""), unsupported)(form, request.headers.get("Authorization", ""))
    except TokenError as error:
        return private(JsonResponse({"error": str(error)}, status=400))
    except InvalidClient as error:
        return private(JsonResponse({"error": "invalid_client", "error_description": str(error)}, status=401))
    return private(JsonResponse(answer))


def by_code(form: dict[str, str], authorization: str) -> dict[str, Any]:
    require_client(form, authorization=authorization, public_allowed=True)
    try:
        code = tokens.open_token(form.get("code", ""), use="code")
    except tokens.BadToken as error:
        raise TokenError("invalid_grant") from error
    # Spent before it is checked: whoever guesses a verifier has one try.
    unused = used_codes.first(code["jti"], expires=code["exp"])
    same_place = form.get("redirect_uri") == code["redirect_uri"]
    if not (
        unused and same_place and hmac.compare_digest(challenge_of(form.get("code_verifier", "")), code["challenge"])
    ):
        raise TokenError("invalid_grant")
    return token_response({**code, "grant": code["jti"]}, opened(code))


def by_refresh(form: dict[str, str], authorization: str) -> dict[str, Any]:
    """A refresh token is good once; whoever brings it again has stolen it or lost it, and the whole grant ends."""
    require_client(form, authorization=authorization, public_allowed=True)
    try:
        old = tokens.open_token(form.get("refresh_token", ""), use="refresh")
    except tokens.BadToken as error:
        raise TokenError("invalid_grant") from error
    if not used_refresh_tokens.first(old["jti"], expires=old["exp"]):
        revoked.first(old["grant"], expires=old["exp"])
    if revoked.has(old["grant"]):
        raise TokenError("invalid_grant")
    return token_response(old, opened(old))


@csrf_exempt
@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    """RFC 7009: a token that is given back takes its whole grant with it; an unknown one is no error."""
    form = {name: str(value) for name, value in request.POST.items()}
    try:
        require_client(form, authorization=request.headers.get("Authorization", ""), public_allowed=True)
    except InvalidClient as error:
        return private(JsonResponse({"error": "invalid_client", "error_description": str(error)}, status=401))
    for use in ("access", "refresh"):
        try:
            claims = tokens.open_token(form.get("token", ""), use=use)
        except tokens.BadToken:
            continue
        revoked.first(claims.get("grant", ""), expires=time.time() + REFRESH_SECONDS)
    return private(HttpResponse())


def challenge_of(verifier: str) -> str:
    """S256 of RFC 7636."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def token_response(code: tokens.Claims, chart: OpenChart) -> dict[str, Any]:
    words = code["scope"].split()
    answer: dict[str, Any] = {
        "access_token": access_token(
            code["scope"],
            seconds=USER_SECONDS,
            patient=chart.patient,
            user=chart.fhir_user,
            grant=code["grant"],
        ),
        "token_type": "Bearer",
        "expires_in": USER_SECONDS,
        "scope": code["scope"],
        "patient": chart.patient,
        "need_patient_banner": True,  # the frame stands beside the chart and can be scrolled away from its banner
    }
    if chart.encounter and {"launch", "launch/encounter"} & set(words):
        answer["encounter"] = chart.encounter
    if chart.app_context:
        answer["appContext"] = chart.app_context
    if set(REFRESH) & set(words):
        kept = {name: code[name] for name in ("scope", "nonce", "grant")}
        answer["refresh_token"] = tokens.issue("refresh", seconds=REFRESH_SECONDS, **kept, **chart.as_claims())
    if "openid" in words:
        answer["id_token"] = id_token(chart, nonce=code["nonce"], with_fhir_user="fhirUser" in words)
    return answer


def id_token(chart: OpenChart, *, nonce: str, with_fhir_user: bool) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": addresses.hospital(),
        "sub": hashlib.sha256(chart.user.encode()).hexdigest()[:32],
        "aud": addresses.CLIENT_ID,
        "iat": now,
        "exp": now + USER_SECONDS,
    }
    if nonce:
        claims["nonce"] = nonce
    if with_fhir_user:
        claims["fhirUser"] = chart.fhir_user
    return tokens.sign_rs256(claims)


def by_assertion(form: dict[str, str], authorization: str) -> dict[str, Any]:
    """SMART Backend Services: no user, `system/` scopes only."""
    require_client(form, authorization=authorization, public_allowed=False)
    scope = grantable(form.get("scope", ""), levels=frozenset({"system"}), words=frozenset())
    if not scope:
        raise TokenError("invalid_scope")
    return {
        "access_token": access_token(scope, seconds=BACKEND_SECONDS),
        "token_type": "bearer",
        "expires_in": BACKEND_SECONDS,
        "scope": scope,
    }


def unsupported(form: dict[str, str], authorization: str) -> dict[str, Any]:
    raise TokenError("unsupported_grant_type")


GRANTS = {"authorization_code": by_code, "refresh_token": by_refresh, "client_credentials": by_assertion}


def private(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    response["Pragma"] = "no-cache"
    return response


@require_GET
def jwks(request: HttpRequest) -> HttpResponse:
    response = JsonResponse(tokens.public_keys())
    response["Cache-Control"] = "max-age=300"
    return response


@require_GET
def smart_configuration(request: HttpRequest) -> HttpResponse:
    return JsonResponse(conformance.smart_configuration())


@require_GET
def openid_configuration(request: HttpRequest) -> HttpResponse:
    return JsonResponse(conformance.openid_configuration())

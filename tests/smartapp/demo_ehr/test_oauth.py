"""SMART App Launch and Backend Services, as an app meets them."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.test import Client
from joserfc import jwt
from joserfc.jwk import KeySet

from smartapp.demo_ehr import hooks
from tests.smartapp.demo_ehr.conftest import App, Fhir

AUTHORIZE, TOKEN = "/demo-ehr/oauth/authorize", "/demo-ehr/oauth/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123456789"


def challenge(verifier: str = VERIFIER) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def request_for(patient: str = "ada", app_context: str | None = None, **changes: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": "bedside",
        "redirect_uri": f"{settings.BASE_URL}/callback",
        "scope": "launch openid fhirUser patient/*.rs system/*.rs",
        "state": "s" * 32,
        "nonce": "n" * 32,
        "aud": f"{settings.DEMO_EHR_URL}/fhir",
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
        "launch": hooks.launch_token(patient, app_context),
    } | changes


def answered(response: Any) -> dict[str, str]:
    """What the redirect to the app carries."""
    assert response.status_code == 302
    assert response.headers["Location"].startswith(f"{settings.BASE_URL}/callback?")
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}


def authorized(**changes: str) -> dict[str, str]:
    return answered(Client().get(AUTHORIZE, request_for(**changes)))


def exchange(code: str, **changes: str) -> Any:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": f"{settings.BASE_URL}/callback",
        "client_id": "bedside",
        "code_verifier": VERIFIER,
    }
    return Client().post(TOKEN, form | changes)


def test_an_ehr_launch_gives_a_token_with_its_patient() -> None:
    granted = exchange(authorized()["code"])
    body = granted.json()
    assert (granted.status_code, granted.headers["Cache-Control"]) == (200, "no-store")
    assert (body["patient"], body["encounter"], body["need_patient_banner"]) == ("ada", "ada-visit", True)
    assert Fhir(body["access_token"]).get("Patient/ada").status_code == 200


def test_the_state_comes_back_and_the_issuer_is_named() -> None:
    given = authorized()
    assert (given["state"], given["iss"]) == ("s" * 32, settings.DEMO_EHR_URL)


def test_the_scope_is_that_granted_and_not_that_asked() -> None:
    assert exchange(authorized()["code"]).json()["scope"] == "launch openid fhirUser patient/*.rs"


def test_what_a_card_carries_arrives_with_the_token() -> None:
    given = answered(Client().get(AUTHORIZE, request_for(app_context='{"card":"1"}')))
    assert exchange(given["code"]).json()["appContext"] == '{"card":"1"}'


def test_the_id_token_names_the_clinician_and_repeats_the_nonce() -> None:
    keys = KeySet.import_key_set(Client().get("/demo-ehr/oauth/jwks").json())
    token = jwt.decode(exchange(authorized()["code"]).json()["id_token"], keys, algorithms=["RS256"])
    assert token.claims["fhirUser"] == f"{settings.DEMO_EHR_URL}/fhir/Practitioner/dr-okafor"
    assert (token.claims["iss"], token.claims["aud"]) == (settings.DEMO_EHR_URL, "bedside")
    assert token.claims["nonce"] == "n" * 32


def test_a_wrong_verifier_is_refused_and_spends_the_code() -> None:
    code = authorized()["code"]
    assert exchange(code, code_verifier="x" * 43).json() == {"error": "invalid_grant"}
    assert exchange(code).json() == {"error": "invalid_grant"}


def test_a_code_is_good_once() -> None:
    code = authorized()["code"]
    assert exchange(code).status_code == 200
    assert exchange(code).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    "change",
    [
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"aud": "https://elsewhere.example/fhir"},
        {"state": ""},
        {"launch": "forged"},
    ],
)
def test_an_incomplete_request_goes_back_with_an_error(change: dict[str, str]) -> None:
    assert authorized(**change)["error"] == "invalid_request"


@pytest.mark.parametrize("change", [{"redirect_uri": "https://elsewhere.example/callback"}, {"client_id": "other"}])
def test_an_unregistered_app_is_sent_nowhere(change: dict[str, str]) -> None:
    answer = Client().get(AUTHORIZE, request_for(**change))
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_another_redirect_uri_at_the_token_endpoint_is_refused() -> None:
    assert exchange(authorized()["code"], redirect_uri=f"{settings.BASE_URL}/other").status_code == 400


def test_a_standalone_launch_asks_who_and_whom() -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.get(AUTHORIZE, request_for(scope="launch/patient patient/*.rs"))
    form = {"choice": page.context["choice"], "patient": "farah", "user": "nurse-ito"}
    form["csrfmiddlewaretoken"] = client.cookies["csrftoken"].value
    body = exchange(answered(client.post(f"{AUTHORIZE}/choice", form))["code"]).json()
    assert (body["patient"], body["need_patient_banner"]) == ("farah", True)


def test_who_cancels_a_standalone_launch_gives_nothing() -> None:
    client = Client()
    choice = client.get(AUTHORIZE, request_for(scope="launch/patient")).context["choice"]
    given = answered(client.post(f"{AUTHORIZE}/choice", {"choice": choice, "patient": "ada", "cancel": "1"}))
    assert given["error"] == "access_denied"


def test_the_configurations_agree_on_issuer_and_keys() -> None:
    smart = Client().get("/demo-ehr/fhir/.well-known/smart-configuration").json()
    openid = Client().get("/demo-ehr/.well-known/openid-configuration").json()
    assert smart["code_challenge_methods_supported"] == ["S256"]
    assert (smart["issuer"], smart["jwks_uri"]) == (openid["issuer"], openid["jwks_uri"])


def test_the_published_keys_hold_nothing_private() -> None:
    keys = Client().get("/demo-ehr/oauth/jwks").json()["keys"]
    assert {key["alg"] for key in keys} == {"ES384", "RS256"}
    assert not {"d", "p", "q", "dp", "dq", "qi"} & {name for key in keys for name in key}


def assertion(app: App, **changes: Any) -> dict[str, str]:
    claims = {
        "iss": "bedside",
        "sub": "bedside",
        "aud": f"{settings.DEMO_EHR_URL}/oauth/token",
        "exp": int(time.time()) + 240,
        "jti": secrets.token_urlsafe(),
    } | changes
    signed = jwt.encode({"alg": "ES384", "kid": app.key.kid, "typ": "JWT"}, claims, app.key, algorithms=["ES384"])
    return {
        "grant_type": "client_credentials",
        "scope": "system/*.rs patient/*.rs",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed,
    }


def test_a_backend_service_gets_a_short_system_token(app: App) -> None:
    body = Client().post(TOKEN, assertion(app)).json()
    assert (body["scope"], body["expires_in"]) == ("system/*.rs", 300)
    assert Fhir(body["access_token"]).get("Patient").json()["total"] == 6


def test_an_assertion_is_good_once(app: App) -> None:
    form = assertion(app)
    assert Client().post(TOKEN, form).status_code == 200
    assert Client().post(TOKEN, form).json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    "change",
    [
        {"exp": int(time.time()) + 3600},
        {"exp": int(time.time()) - 60},
        {"aud": "https://elsewhere.example/token"},
        {"iss": "other"},
        {"sub": "other"},
    ],
)
def test_an_assertion_that_claims_too_much_is_refused(app: App, change: dict[str, Any]) -> None:
    answer = Client().post(TOKEN, assertion(app, **change))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_backend_service_must_sign() -> None:
    form = {"grant_type": "client_credentials", "scope": "system/*.rs", "client_id": "bedside"}
    assert Client().post(TOKEN, form).json()["error"] == "invalid_client"


def test_a_confidential_app_may_exchange_its_code_with_an_assertion(app: App) -> None:
    code = authorized()["code"]
    signed = {name: value for name, value in assertion(app).items() if name.startswith("client_")}
    assert exchange(code, **signed).json()["patient"] == "ada"


def test_another_grant_type_is_unsupported() -> None:
    assert Client().post(TOKEN, {"grant_type": "password"}).json() == {"error": "unsupported_grant_type"}


def refreshed(refresh_token: str) -> Any:
    return Client().post(TOKEN, {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": "bedside"})


def granted_with_refresh() -> Any:
    return exchange(authorized(scope="launch openid patient/*.rs offline_access")["code"]).json()


def test_a_refresh_token_comes_only_with_its_scope() -> None:
    assert "refresh_token" in granted_with_refresh()
    assert "refresh_token" not in exchange(authorized()["code"]).json()


def test_a_refreshed_token_is_for_the_same_patient_and_brings_the_next_refresh_token() -> None:
    first = granted_with_refresh()
    second = refreshed(first["refresh_token"]).json()
    assert (second["patient"], second["scope"]) == ("ada", first["scope"])
    assert second["refresh_token"] != first["refresh_token"]
    assert Fhir(second["access_token"]).get("Patient/ada").status_code == 200


def test_a_refresh_token_used_twice_ends_the_whole_grant() -> None:
    first = granted_with_refresh()
    second = refreshed(first["refresh_token"]).json()
    assert refreshed(first["refresh_token"]).json() == {"error": "invalid_grant"}
    assert refreshed(second["refresh_token"]).json() == {"error": "invalid_grant"}
    assert Fhir(second["access_token"]).get("Patient/ada").status_code == 401


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_token_that_is_given_back_takes_its_grant_with_it(kind: str) -> None:
    granted = granted_with_refresh()
    answer = Client().post("/demo-ehr/oauth/revoke", {"token": granted[kind], "client_id": "bedside"})
    assert answer.status_code == 200
    assert refreshed(granted["refresh_token"]).json() == {"error": "invalid_grant"}
    assert Fhir(granted["access_token"]).get("Patient/ada").status_code == 401


def test_an_unknown_token_is_given_back_without_complaint_but_not_by_anybody() -> None:
    assert Client().post("/demo-ehr/oauth/revoke", {"token": "x", "client_id": "bedside"}).status_code == 200
    assert Client().post("/demo-ehr/oauth/revoke", {"token": "x", "client_id": "other"}).status_code == 401


@pytest.mark.parametrize(("secret", "status"), [("not+a+secret%3A+100+%25+demo", 200), ("guessed", 401)])
def test_a_client_with_a_secret_sends_it_form_encoded_by_http_basic(secret: str, status: int) -> None:
    credentials = base64.b64encode(f"bedside:{secret}".encode()).decode()
    form = {
        "grant_type": "authorization_code",
        "code": authorized()["code"],
        "redirect_uri": f"{settings.BASE_URL}/callback",
        "code_verifier": VERIFIER,
    }
    assert Client().post(TOKEN, form, headers={"Authorization": f"Basic {credentials}"}).status_code == status

"""Who gets a token, and who does not: section by section what the guide and the RFCs ask of an authorization server."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from joserfc.jwk import RSAKey

from cds.models import AuditEntry, Ehr
from smartapp.backend.models import AccessToken
from smartapp.backend.scopes import PREDICT, READ_RESULTS, SCORE_BATCH
from tests.environments import environment
from tests.smartapp.backend.outside import EC, FORM, RSA, Outside, published, unsigned, with_public_key_as_secret

ROOT = Path(__file__).resolve().parents[3]
REFUSED = {"error": "invalid_client", "error_description": "The caller could not be authenticated."}


def error(answer: Any) -> str:
    assert answer.status_code == 400, answer.content
    assert answer["Cache-Control"] == "no-store"
    return str(answer.json()["error"])


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_a_good_assertion_gets_a_token_for_five_minutes(outside: Outside, algorithm: str) -> None:
    outside.algorithm = algorithm
    answer = outside.ask()
    assert answer.status_code == 200, answer.content
    given = answer.json()
    assert set(given) == {"access_token", "token_type", "expires_in", "scope"}
    assert (given["token_type"].lower(), given["expires_in"], given["scope"]) == ("bearer", 300, PREDICT)
    assert (answer["Cache-Control"], answer["Pragma"]) == ("no-store", "no-cache")


def test_only_the_hash_of_a_token_is_kept(outside: Outside) -> None:
    token = outside.token()
    assert len(token) >= 43  # 256 bits in base64
    kept = AccessToken.objects.get()
    assert token not in (kept.token_hash, kept.scope)


def test_the_audience_may_be_one_of_several(outside: Outside, settings: Any) -> None:
    several = ["https://elsewhere.example.org", f"{settings.BASE_URL}/api/token"]
    assert outside.ask(outside.assertion(aud=several)).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "http://localhost"},
        {"aud": "http://localhost/api/fhir"},
        {"aud": []},
        {"aud": None},
        {"sub": "somebody-else"},
        {"iss": "nobody", "sub": "nobody"},
        {"iss": None},
        {"iss": "a\0b", "sub": "a\0b"},
        {"iss": "\ud800", "sub": "\ud800"},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"iat": "now"},
    ],
    ids=str,
)
def test_claims_that_do_not_fit_are_refused(outside: Outside, claims: dict[str, Any]) -> None:
    answer = outside.ask(outside.assertion(**claims))
    assert (error(answer), answer.json()) == ("invalid_client", REFUSED)


@pytest.mark.parametrize("times", [{"exp": -10}, {"exp": 600}, {"exp": 10_000_000}, {"nbf": 60}, {"iat": 60}], ids=str)
def test_an_assertion_counts_in_its_time_only(outside: Outside, times: dict[str, int]) -> None:
    now = int(time.time())
    claims: dict[str, Any] = {name: now + late for name, late in times.items()}
    assert error(outside.ask(outside.assertion(**claims))) == "invalid_client"


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "another"},
        {"kid": None},
        {"kid": 7},
        {"kid": RSA.kid},  # of a key that does not fit the algorithm
        {"typ": "at+jwt"},
        {"jku": "https://attacker.example.org/jwks"},
        {"crit": ["exp"]},
        {"jwk": EC.as_dict(private=False)},
        {"x5u": "https://attacker.example.org/cert"},
        {"x5c": ["MII"]},
    ],
    ids=",".join,
)
def test_headers_that_are_not_ours_are_refused(outside: Outside, header: dict[str, Any]) -> None:
    key = EC
    try:
        assertion = outside.assertion(header, key)
    except Exception:  # noqa: BLE001 -- the library refuses to sign some of them: then by hand
        assertion = unsigned(outside.header(**header), outside.claims()) + "AAAA"
    assert error(outside.ask(assertion)) == "invalid_client"


def test_algorithm_none_is_refused(outside: Outside) -> None:
    assert error(outside.ask(unsigned(outside.header(alg="none"), outside.claims()))) == "invalid_client"


def test_an_hmac_with_the_public_key_is_refused(outside: Outside) -> None:
    assert error(outside.ask(with_public_key_as_secret(outside))) == "invalid_client"


def test_an_algorithm_that_this_caller_may_not_use_is_refused(outside: Outside) -> None:
    outside.row.algorithms = "RS384"
    outside.row.save()
    assert error(outside.ask()) == "invalid_client"


def test_a_signature_of_another_key_is_refused(outside: Outside) -> None:
    stranger = RSAKey.generate_key(2048)
    assert error(outside.ask(outside.assertion({"alg": "RS384", "kid": RSA.kid}, stranger))) == "invalid_client"


@pytest.mark.parametrize("assertion", ["x", "a.b.c", "", "..", "eyJ9.eyJ9.eyJ9", "[" * 4000], ids=lambda text: text[:6])
def test_what_is_no_assertion_is_refused(outside: Outside, assertion: str) -> None:
    assert error(outside.ask(client_assertion=assertion)) == "invalid_client"


def test_another_client_id_in_the_form_is_refused(outside: Outside) -> None:
    assert outside.ask(client_id=outside.row.client_id).status_code == 200
    assert error(outside.ask(client_id="another")) == "invalid_client"


def test_a_key_that_is_there_twice_is_nobodys(outside: Outside) -> None:
    other = RSAKey.generate_key(2048, {"kid": str(RSA.kid)})
    outside.algorithm, outside.row.jwks = "RS384", published(RSA, other)
    outside.row.save()
    assert error(outside.ask()) == "invalid_client"


def test_who_is_switched_off_gets_nothing(outside: Outside) -> None:
    outside.row.active = False
    outside.row.save()
    assert error(outside.ask()) == "invalid_client"


def test_a_switched_off_hospital_has_no_callers(outside: Outside, ehr: Ehr) -> None:
    ehr.active = False
    ehr.save()
    assert error(outside.ask()) == "invalid_client"


def test_an_assertion_is_good_once(outside: Outside) -> None:
    assertion = outside.assertion()
    assert outside.ask(assertion).status_code == 200
    assert outside.ask(assertion).json() == REFUSED


def test_the_same_jti_of_two_callers_is_no_replay(outside: Outside, ehr: Ehr) -> None:
    other = Outside.registered(ehr, "Another")
    assert outside.ask(outside.assertion(jti="one")).status_code == 200
    assert other.ask(other.assertion(jti="one")).status_code == 200


_WORKER = """
import django, sys
django.setup()
from django.test import Client
form = sys.stdin.readline().strip()
print("ready", flush=True)
sys.stdin.readline()
web = Client(SERVER_NAME="localhost")
print(web.post("/api/token", form, content_type="application/x-www-form-urlencoded").status_code, flush=True)
"""


@pytest.mark.django_db(transaction=True)
def test_of_two_processes_that_get_the_same_assertion_one_lets_it_in(outside: Outside) -> None:
    form = urlencode(outside.form())
    command, more = [sys.executable, "-c", _WORKER], {"BASE_URL": "http://localhost"}
    workers = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment(**more), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(f"{form}\n")
        worker.stdin.flush()
    assert [worker.stdout.readline() for worker in workers if worker.stdout] == ["ready\n"] * 2
    said = [worker.communicate("go\n")[0] for worker in workers]
    assert sorted(said) == ["200\n", "400\n"]


# --- What is asked for ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (f"{PREDICT} {SCORE_BATCH}", PREDICT),
        (f"{PREDICT} system/*.rs openid", PREDICT),
        (f"{PREDICT}  {PREDICT}", PREDICT),
    ],
)
def test_more_than_is_allowed_is_cut_down_and_said(outside: Outside, asked: str, granted: str) -> None:
    assert outside.ask(scope=asked).json()["scope"] == granted


@pytest.mark.parametrize("asked", [SCORE_BATCH, "openid", "system/*.rs", "system/Patient", "\0", "é" * 50])
def test_nothing_that_is_allowed_is_invalid_scope(outside: Outside, asked: str) -> None:
    assert error(outside.ask(scope=asked)) == "invalid_scope"


@pytest.mark.parametrize("asked", [None, "", "  "])
def test_a_scope_must_be_asked_for(outside: Outside, asked: str | None) -> None:
    assert error(outside.ask(scope=asked)) == "invalid_request"


@pytest.mark.parametrize("asked", ["system/RiskAssessment.r", "system/*.rs", READ_RESULTS])
def test_a_fhir_scope_is_granted_as_far_as_it_is_allowed(outside: Outside, asked: str) -> None:
    outside.row.scopes = f"{SCORE_BATCH} {READ_RESULTS}"
    outside.row.save()
    letters = "r" if asked.endswith(".r") else "rs"
    assert outside.ask(scope=asked).json()["scope"] == f"system/RiskAssessment.{letters}"


# --- How it is asked -----------------------------------------------------------------------------------------------
def test_only_post_is_answered(client: Client) -> None:
    assert client.get("/api/token").status_code == 405


def test_json_is_no_form(outside: Outside) -> None:
    answer = outside.web.post("/api/token", outside.form(), content_type="application/json")
    assert error(answer) == "invalid_request"


def test_parameters_in_the_address_do_not_count(outside: Outside) -> None:
    answer = outside.web.post(f"/api/token?{urlencode(outside.form())}", "", content_type=FORM)
    assert error(answer) == "invalid_request"


def test_a_parameter_that_is_repeated_is_refused(outside: Outside) -> None:
    answer = outside.web.post("/api/token", urlencode(outside.form()) + "&scope=x", content_type=FORM)
    assert error(answer) == "invalid_request"


def test_a_body_that_is_too_long_is_not_read(outside: Outside) -> None:
    assert error(outside.ask(more="x" * 20_000)) == "invalid_request"


@pytest.mark.parametrize(
    "body", ["&".join(["a=1"] * 3000), "grant_type=%ff%fe", "%", "=&=&"], ids=lambda body: body[:12]
)
def test_a_form_that_is_none_is_refused(outside: Outside, body: str) -> None:
    assert outside.web.post("/api/token", body, content_type=FORM).status_code == 400


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": 'a"\\b'}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
        ({"client_assertion_type": "jwt"}, "invalid_client"),
        ({"client_assertion_type": None}, "invalid_client"),
        ({"client_assertion": None}, "invalid_client"),
    ],
)
def test_each_error_has_its_name(outside: Outside, changed: dict[str, Any], said: str) -> None:
    assert error(outside.ask(**changed)) == said


def test_a_refusal_is_audited_with_its_reason_and_repeats_nothing(
    outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assertion = outside.assertion(aud="http://localhost")
    outside.ask(assertion)
    noted = AuditEntry.objects.get(action="refusal")
    assert (noted.actor, noted.subject, noted.detail["reason"]) == ("unknown", "token", "another audience")
    assert "another audience" in caplog.text
    assert assertion not in caplog.text


def test_a_token_that_is_given_is_audited_and_never_logged(outside: Outside, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    token = outside.token()
    noted = AuditEntry.objects.get(action="token")
    assert (noted.actor, noted.detail["scope"]) == (outside.row.actor, PREDICT)
    assert token not in caplog.text


def test_without_a_database_it_is_503(outside: Outside, settings: Any) -> None:
    form = urlencode(outside.form())
    connection.set_rollback(True)  # the transaction is broken: every statement fails
    answer = outside.web.post("/api/token", form, content_type=FORM)
    connection.set_rollback(False)
    assert answer.status_code == 503


# --- Where it is published -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("base", ["", "/api/fhir"])
def test_the_smart_configuration_says_how(outside: Outside, client: Client, base: str) -> None:
    said = client.get(f"{base}/.well-known/smart-configuration").json()
    assert said["token_endpoint"] == "http://localhost/api/token"
    assert said["grant_types_supported"] == ["client_credentials"]
    assert said["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert set(said["token_endpoint_auth_signing_alg_values_supported"]) == {"RS384", "ES384"}
    assert {PREDICT, SCORE_BATCH, READ_RESULTS} == set(said["scopes_supported"])
    assert "client-confidential-asymmetric" in said["capabilities"]
    assert said["code_challenge_methods_supported"] == ["S256"]

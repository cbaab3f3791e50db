"""Each line of CDS Hooks 2.0.1, "Trusting CDS Clients", broken once: the answer is a bare 401."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from subprocess import PIPE
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings
from django.db import connection
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from cds.errors import Refused
from cds.models import Ehr
from hooks.trust import trust
from smartapp.demo_ehr import hooks as emr
from tests.at_once import at_once

SERVICE = "diabetes-risk"


def call(token: str | None, *, path: str = "") -> requests.Response:
    body = emr.hook_request("bruno", {"hook": "patient-view"})
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.post(emr.endpoint(SERVICE) + path, json=body, headers=headers, timeout=30)


def signed(**overrides: Any) -> str:
    return emr.sign(overrides.pop("aud", emr.endpoint(SERVICE)), **overrides)


def refused(answer: requests.Response) -> bool:
    return answer.status_code == 401 and answer.content == b""


def test_a_well_signed_call_is_trusted(hospital: Ehr) -> None:
    assert call(signed()).status_code == 200


def test_a_list_of_audiences_may_name_us_among_others(hospital: Ehr) -> None:
    assert call(signed(aud=["https://else.example", emr.endpoint(SERVICE)])).status_code == 200


def test_a_call_without_a_token_is_refused_without_a_reason(hospital: Ehr) -> None:
    assert refused(call(None))


@pytest.mark.parametrize("token", ["x", "a.b.c", "e30.e30.e30"])
def test_rubbish_is_refused(hospital: Ehr, token: str) -> None:
    assert refused(call(token))


@pytest.mark.parametrize(
    "overrides",
    [
        {"iss": "https://stranger.example"},
        {"iss": None},
        {"iss": 7},
        {"iss": "no database takes \0"},
        {"aud": "http://localhost/cds-services/other"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 3700},
        {"exp": int(time.time()) + 90_000},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"nbf": int(time.time()) + 3600},
        {"nbf": "soon"},
        {"exp": float("nan")},
        {"exp": "9999999999"},
    ],
    ids=lambda overrides: "-".join(f"{name}={str(value)[:3]}" for name, value in overrides.items()),
)
def test_a_wrong_claim_is_refused(hospital: Ehr, overrides: dict[str, Any]) -> None:
    assert refused(call(signed(**overrides)))


def test_a_clock_half_a_second_off_is_forgiven(hospital: Ehr) -> None:
    now = int(time.time())
    assert call(signed(iat=now + 1, exp=now + 300)).status_code == 200


def test_a_token_is_good_once(hospital: Ehr) -> None:
    token = signed()
    assert call(token).status_code == 200
    assert refused(call(token))


def test_a_token_is_good_once_even_if_it_comes_twice_at_the_same_instant(hospital: Ehr) -> None:
    token = signed()
    assert sorted(at_once(4, lambda: call(token).status_code)) == [200, 401, 401, 401]


@pytest.mark.skipif(settings.EMBEDDED, reason="embedded is one process; with REDIS_URL there are more")
def test_a_token_is_good_once_even_in_two_processes_at_the_same_instant(hospital: Ehr) -> None:
    token = signed()
    environment = {**os.environ, "DATABASE_URL": _test_database(), "DJANGO_SETTINGS_MODULE": "tests.settings"}
    strikers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.hooks.strike"], stdin=PIPE, stdout=PIPE, text=True, env=environment
        )
        for _ in range(2)
    ]
    for striker in strikers:
        assert striker.stdout is not None
        assert striker.stdout.readline() == "ready\n"
    for striker in strikers:
        assert striker.stdin is not None
        striker.stdin.write(f"{token} {emr.endpoint(SERVICE)}\n")
        striker.stdin.flush()
    answers = sorted(striker.communicate(timeout=30)[0] for striker in strikers)
    assert answers == ["jti was used before\n", "trusted\n"]


def test_a_token_is_good_once_even_after_many_others(hospital: Ehr) -> None:
    """A cache that drops its oldest entries would forget which ones were used."""
    token = signed()
    assert trust(token, audience=emr.endpoint(SERVICE)) == hospital
    for _ in range(400):
        trust(signed(), audience=emr.endpoint(SERVICE))
    with pytest.raises(Refused, match="used before"):
        trust(token, audience=emr.endpoint(SERVICE))


@pytest.mark.parametrize("jti", ["with blanks and \n lines", "x" * 2000, "\u202e\u4e2d"])
def test_any_text_may_be_a_jti(hospital: Ehr, jti: str) -> None:
    token = signed(jti=jti)
    assert call(token).status_code == 200
    assert refused(call(token))


def test_a_token_for_the_service_is_not_good_for_its_feedback(hospital: Ehr) -> None:
    assert refused(call(signed(), path="/feedback"))


def test_a_jku_that_is_not_registered_is_never_followed(hospital: Ehr) -> None:
    assert refused(call(emr.sign(emr.endpoint(SERVICE), header={"jku": "http://127.0.0.1:9/keys"})))


def test_an_unknown_key_is_refused(hospital: Ehr) -> None:
    assert refused(call(_foreign(ECKey.generate_key("P-384"), "ES384")))


def test_an_algorithm_that_is_not_pinned_is_refused(hospital: Ehr) -> None:
    hospital.hook_algorithms = "RS384"
    hospital.save()
    assert refused(call(signed()))


def test_another_key_under_a_published_kid_is_refused(hospital: Ehr) -> None:
    kid = _header(signed())["kid"]
    assert refused(call(_foreign(ECKey.generate_key("P-384"), "ES384", kid=kid)))
    assert refused(call(_foreign(RSAKey.generate_key(2048), "RS384", kid=kid)))


def test_hmac_with_a_public_key_and_no_signature_at_all_are_refused(hospital: Ehr) -> None:
    kid = _header(signed())["kid"]
    assert refused(call(_foreign(OctKey.import_key("public-key-as-a-secret-0123456789"), "HS256", kid=kid)))
    _, claims, _ = signed().split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": kid}).encode()).decode().rstrip("=")
    assert refused(call(f"{head}.{claims}."))


def test_a_header_that_must_be_understood_and_is_not_is_refused(hospital: Ehr) -> None:
    assert refused(call(emr.sign(emr.endpoint(SERVICE), header={"crit": ["b64"], "b64": False})))  # type: ignore[dict-item]


@pytest.mark.parametrize("tenant", [None, "", "clinic-b", ["clinic-a"]])
def test_another_tenant_is_refused(hospital: Ehr, tenant: Any) -> None:
    hospital.hook_tenant = "clinic-a"
    hospital.save()
    assert refused(call(signed(tenant=tenant)))


def test_the_registered_tenant_is_trusted(hospital: Ehr) -> None:
    hospital.hook_tenant = "clinic-a"
    hospital.save()
    assert call(signed(tenant="clinic-a")).status_code == 200


def test_without_a_registered_tenant_any_is_trusted(hospital: Ehr) -> None:
    assert call(signed(tenant="clinic-b")).status_code == 200


def shared(hospital: Ehr, first: str, second: str, **changed: Any) -> Ehr:
    """A second hospital whose calls the same issuer signs."""
    Ehr.objects.update(hook_tenant=first)
    return Ehr.objects.create(
        name="Second",
        fhir_base="https://second.example/fhir",
        hook_issuer=hospital.hook_issuer,
        hook_jwks_url=hospital.hook_jwks_url,
        hook_tenant=second,
        private_network=True,
        **changed,
    )


def test_where_an_issuer_is_shared_the_tenant_says_which_hospital_calls(hospital: Ehr) -> None:
    second = shared(hospital, "clinic-a", "clinic-b")
    audience = emr.endpoint(SERVICE)
    assert trust(signed(tenant="clinic-a"), audience=audience) == hospital
    assert trust(signed(tenant="clinic-b"), audience=audience) == second


@pytest.mark.parametrize("tenant", [None, "", "clinic-c", ["clinic-a"]])
@pytest.mark.parametrize("first", ["", "clinic-a"])
def test_where_an_issuer_is_shared_nobody_stands_in_for_another(hospital: Ehr, first: str, tenant: Any) -> None:
    shared(hospital, first, "clinic-b")
    assert refused(call(signed(tenant=tenant)))


def test_a_hospital_that_was_switched_off_is_not_replaced_by_one_of_the_same_issuer(hospital: Ehr) -> None:
    shared(hospital, "", "clinic-b", active=False)
    assert refused(call(signed(tenant="clinic-b")))


def test_the_host_header_does_not_choose_the_audience(hospital: Ehr) -> None:
    aud = f"http://evil.example/cds-services/{SERVICE}"
    headers = {"Authorization": f"Bearer {signed(aud=aud)}", "Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    answer = requests.post(emr.endpoint(SERVICE), json={}, headers=headers, timeout=30)
    assert answer.status_code in {400, 401}


def test_a_discovery_token_must_be_for_discovery(hospital: Ehr) -> None:
    url = emr.endpoint(SERVICE).rpartition("/")[0]

    def look(aud: str) -> int:
        return requests.get(url, headers={"Authorization": f"Bearer {emr.sign(aud)}"}, timeout=30).status_code

    assert look(url) == 200
    assert look(emr.endpoint(SERVICE)) == 401
    assert look(f"{url}/") == 401


def test_an_ehr_that_was_switched_off_is_refused(hospital: Ehr) -> None:
    hospital.active = False
    hospital.save()
    assert refused(call(signed()))


def _test_database() -> str:
    """The URL of the database that Django made for the tests, for another process."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def _header(token: str) -> dict[str, Any]:
    head = token.split(".", maxsplit=1)[0]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return found


def _foreign(key: Any, algorithm: str, *, kid: str = "stranger") -> str:
    """Our own claims, signed by somebody else."""
    now = int(time.time())
    claims = {"iss": settings.DEMO_EHR_URL, "aud": emr.endpoint(SERVICE), "iat": now, "exp": now + 300, "jti": kid}
    return jwt.encode({"alg": algorithm, "kid": kid}, claims, key, algorithms=[algorithm])

"""Each line of CDS Hooks 2.0.1, "Trusting CDS Clients", broken once: the answer is a bare 401."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
import requests
from django.conf import settings
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from cds.models import Ehr
from smartapp.demo_ehr import hooks as emr

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
        {"aud": "http://localhost/cds-services/other"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 3700},
        {"exp": int(time.time()) + 90_000},
        {"jti": None},
        {"jti": ""},
    ],
    ids=lambda overrides: "-".join(f"{name}={str(value)[:12]}" for name, value in overrides.items()),
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


def test_an_ehr_that_was_switched_off_is_refused(hospital: Ehr) -> None:
    hospital.active = False
    hospital.save()
    assert refused(call(signed()))


def _header(token: str) -> dict[str, Any]:
    head = token.split(".", maxsplit=1)[0]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return found


def _foreign(key: Any, algorithm: str, *, kid: str = "stranger") -> str:
    """Our own claims, signed by somebody else."""
    now = int(time.time())
    claims = {"iss": settings.DEMO_EHR_URL, "aud": emr.endpoint(SERVICE), "iat": now, "exp": now + 300, "jti": kid}
    return jwt.encode({"alg": algorithm, "kid": kid}, claims, key, algorithms=[algorithm])

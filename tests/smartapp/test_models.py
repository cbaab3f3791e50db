"""What a granted scope allows, in both syntaxes, and how long a session lives."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from cds.models import Ehr
from smartapp.models import Grant, Launch, SmartSession, ends, forget_the_old


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("patient/RiskAssessment.c", True),
        ("patient/RiskAssessment.cruds", True),
        ("patient/*.cud", True),
        ("user/RiskAssessment.write", True),
        ("patient/RiskAssessment.*", True),
        ("patient/RiskAssessment.rs", False),
        ("patient/RiskAssessment.read", False),
        ("patient/Observation.c", False),
        ("system/RiskAssessment.c", False),
        ("openid", False),
        ("patient/RiskAssessment.rs?code=c", False),
    ],
)
def test_creating_is_allowed_by_what_was_granted(scope: str, allowed: bool) -> None:
    grant = Grant(token="t", scopes=(scope,), patient_id="p", actor="a")
    assert grant.may_create("RiskAssessment") is allowed


@pytest.mark.parametrize(
    ("scope", "kind", "allowed"),
    [
        ("patient/Observation.rs", "Observation", True),
        ("patient/Observation.s", "Observation", True),
        ("patient/Observation.r", "Observation", False),
        ("patient/Patient.r", "Patient", True),
        ("patient/*.read", "Condition", True),
        ("user/Condition.*", "Condition", True),
        ("http://smarthealthit.org/fhir/scopes/patient/Condition.rs", "Condition", True),
        ("patient/Observation.rs?category=laboratory", "Observation", True),
        ("patient/Observation.write", "Observation", False),
        ("system/Observation.rs", "Observation", False),
        ("patient/Condition.rs", "Observation", False),
    ],
)
def test_reading_is_allowed_by_what_was_granted(scope: str, kind: str, allowed: bool) -> None:
    assert Grant(token="t", scopes=(scope,), patient_id="p", actor="a").may_search(kind) is allowed


def test_a_session_ends_with_its_token_and_after_a_working_day_at_the_latest() -> None:
    now = timezone.now()
    assert ends(900, now=now) - now == timedelta(seconds=900)
    assert ends(1_000_000, now=now) - now == timedelta(hours=8)
    assert ends(900, now=now, renewable=True) - now == timedelta(hours=8)


def test_what_ended_a_day_ago_is_forgotten(ehr: Ehr) -> None:
    now = timezone.now()
    secrets = {"ehr": ehr, "launch": b"l", "verifier": b"v", "nonce": b"n", "browser_hash": "b"}
    for name, age in (("old", timedelta(days=2)), ("young", timedelta(hours=1))):
        Launch.objects.create(state_hash=name, created_at=now - age, **secrets)
        SmartSession.objects.create(ehr=ehr, secret_hash=name, encrypted_grant=b"{}", expires_at=now - age)
    forget_the_old()
    assert [launch.state_hash for launch in Launch.objects.all()] == ["young"]
    assert [session.secret_hash for session in SmartSession.objects.all()] == ["young"]

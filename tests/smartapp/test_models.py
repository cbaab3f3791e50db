"""What a granted scope allows, in both syntaxes, and how long a session lives."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from cds.analytes import HBA1C
from cds.models import Ehr
from cds.needs import Need
from smartapp.models import Grant, Launch, ends, forget_the_old


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
        ("patient/RiskAssessment.c?status=final", False),
    ],
)
def test_creating_is_allowed_by_what_was_granted(scope: str, allowed: bool) -> None:
    grant = Grant(token="t", scopes=(scope,), patient_id="p", actor="a")
    assert grant.may("RiskAssessment", "c") is allowed


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
        ("patient/Observation.write", "Observation", False),
        ("system/Observation.rs", "Observation", False),
        ("patient/Condition.rs", "Observation", False),
    ],
)
def test_reading_is_allowed_by_what_was_granted(scope: str, kind: str, allowed: bool) -> None:
    need = Need.patient() if kind == "Patient" else Need.resources("k", kind)
    assert Grant(token="t", scopes=(scope,), patient_id="p", actor="a").opens(need) is allowed


LABORATORY = Need.observations("hba1c", HBA1C, category="laboratory")


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ("patient/Observation.rs?category=laboratory", True),
        ("patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory", True),
        ("patient/Observation.rs?category=vital-signs,laboratory", True),
        ("patient/Observation.rs?category=vital-signs patient/Observation.rs?category=laboratory", True),
        ("patient/Observation.rs?category=vital-signs patient/*.rs", True),
        ("patient/Observation.rs?category=vital-signs", False),
        ("patient/Observation.rs?category=http://elsewhere.example|laboratory", False),
        ("patient/Observation.rs?category=laboratory&status=final", False),
        ("patient/Observation.rs?code=4548-4", False),
        ("patient/Observation.rs?", True),
        ("patient/Observation.c?category=laboratory", False),
    ],
)
def test_a_granular_scope_counts_only_if_it_covers_the_needs_category(scopes: str, allowed: bool) -> None:
    grant = Grant(token="t", scopes=tuple(scopes.split()), patient_id="p", actor="a")
    assert grant.opens(LABORATORY) is allowed
    assert not grant.may("Observation", "c") or "?" not in scopes


def test_a_granular_scope_does_not_open_a_need_without_a_category() -> None:
    grant = Grant(token="t", scopes=("patient/Condition.rs?category=problem-list-item",), patient_id="p", actor="a")
    assert not grant.opens(Need.resources("conditions", "Condition"))


def test_a_session_ends_with_its_token_and_after_a_working_day_at_the_latest() -> None:
    now = timezone.now()
    assert ends(900, now=now) - now == timedelta(seconds=900)
    assert ends(1_000_000, now=now) - now == timedelta(hours=8)
    assert ends(900, now=now, renewable=True) - now == timedelta(hours=8)


def test_a_launch_of_a_day_ago_is_forgotten(ehr: Ehr) -> None:
    now = timezone.now()
    secrets = {"ehr": ehr, "launch": b"l", "verifier": b"v", "nonce": b"n", "browser_hash": "b"}
    for name, age in (("old", timedelta(days=2)), ("young", timedelta(hours=1))):
        Launch.objects.create(state_hash=name, created_at=now - age, **secrets)
    forget_the_old()
    assert [launch.state_hash for launch in Launch.objects.all()] == ["young"]

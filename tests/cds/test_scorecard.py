"""The scorecard counts what the version in force has done here, and says when that is too little."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from cds.models import Assessment, Ehr, EnabledService
from cds.scorecard import FEWEST_ASSESSMENTS, FEWEST_DAYS, Scorecard, scorecard
from scoring import shelf
from scoring.models import ModelVersion
from tests.cds.assessed import CHILD, HIGH, LOW, SERVICE, UNKNOWN, assessed, complete, learnt


@pytest.fixture
def here(db: None) -> EnabledService:
    shelf.forget()
    ehr = Ehr.objects.create(name="St. Elsewhere", fhir_base="https://e.example/fhir", time_zone="Asia/Shanghai")
    return EnabledService.objects.create(ehr=ehr, service_id=SERVICE)


def counted(here: EnabledService) -> Scorecard:
    return scorecard(EnabledService.objects.get(pk=here.pk))


def test_what_was_answered_is_counted(here: EnabledService) -> None:
    assessed(here, HIGH, HIGH, LOW, UNKNOWN, CHILD)
    card = counted(here)
    assert (card.assessed, card.read, card.patients, card.alerts, card.applicable) == (5, 5, 5, 2, 4)
    assert card.rules == {"model-high": 2, "model-low": 1, "not-enough": 1, "child": 1}
    assert card.missing == {"HbA1c": 1, "Waist": 1}


def test_alerts_have_an_interval_and_a_rate_a_day(here: EnabledService) -> None:
    for day in (1, 2):
        assessed(here, HIGH, LOW, LOW, LOW, days_ago=day)
    card = counted(here)
    assert card.alert_share.value == 0.25
    low, high = card.alert_share.interval
    assert low < 0.25 < high
    assert card.alerts_a_day == 1


def test_failures_and_slow_answers_are_counted(here: EnabledService) -> None:
    assessed(here, *[LOW] * 90)
    assessed(here, *[LOW] * 10, seconds=9)
    assessed(here, LOW, status="failed")
    card = counted(here)
    assert (card.failed, card.failure_share.of, card.p95_milliseconds) == (1, 101, 9000)


def test_what_turned_out_later_is_compared_with_the_alerts(here: EnabledService) -> None:
    assessed(here, HIGH, HIGH, LOW, LOW, HIGH)
    assert counted(here).known == 0
    learnt(here, _0=True, _1=False, _2=True, _3=False)
    card = counted(here)
    assert card.known == 4
    assert (card.ppv.count, card.ppv.of) == (1, 2)
    assert (card.sensitivity.count, card.sensitivity.of) == (1, 2)


@pytest.mark.parametrize(
    "changed", [{"test": True}, {"service_version": "0.1"}, {"model_version": "0.1"}, {"threshold": 0.5}]
)
def test_test_patients_and_what_is_not_in_force_are_no_evidence(here: EnabledService, changed: dict[str, Any]) -> None:
    assessed(here, LOW, **changed)
    assert counted(here).assessed == 0


def test_old_answers_are_no_evidence(here: EnabledService) -> None:
    assessed(here, LOW, days_ago=91)
    assert counted(here).assessed == 0


def test_a_threshold_of_the_hospitals_own_counts_from_when_it_was_set(here: EnabledService) -> None:
    assessed(here, LOW)
    assessed(here, LOW, threshold=0.3)
    EnabledService.objects.update(threshold=0.3)
    assert counted(here).assessed == 1


def test_days_are_those_of_the_hospital(here: EnabledService) -> None:
    """Shanghai is eight hours ahead: 15:30 and 16:30 in Greenwich are two days there."""
    greenwich = timezone.now().replace(hour=15, minute=30) - timedelta(days=2)
    assessed(here, LOW)
    assessed(here, LOW)
    for row, asked in zip(Assessment.objects.all(), (greenwich, greenwich + timedelta(hours=1)), strict=True):
        Assessment.objects.filter(pk=row.pk).update(created_at=asked, finished_at=asked)
    assert counted(here).days == 2


def test_too_few_days_or_assessments_are_said(here: EnabledService) -> None:
    assessed(here, *[LOW] * FEWEST_ASSESSMENTS)
    assert counted(here).lacking == [f"1 of at least {FEWEST_DAYS} days with assessments"]
    complete(here)
    assert counted(here).lacking == []


def test_without_a_model_in_use_it_is_not_complete(here: EnabledService) -> None:
    ModelVersion.objects.update(status="retired")
    shelf.forget()
    assert counted(here).lacking[0] == "no version of the model is in use"


def test_an_empty_one_is_one(here: EnabledService) -> None:
    card = counted(here)
    assert (card.assessed, card.p95_milliseconds, card.alerts_a_day, card.alert_share.value) == (0, None, None, None)


def test_it_is_kept_as_json_with_a_decision(here: EnabledService) -> None:
    assessed(here, HIGH)
    kept = counted(here).as_json()
    assert (kept["assessed"], kept["rules"]) == (1, {"model-high": 1})
    assert json.loads(json.dumps(kept))["version"] == ["1.0.0", "1.1.0", 0.1]

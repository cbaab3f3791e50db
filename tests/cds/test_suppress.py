"""Alert fatigue: what a user is spared, with which reason, and what nobody is ever spared."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from cds import registry
from cds.cards import Card
from cds.finding import Finding, Indicator
from cds.flow import enabled
from cds.models import Assessment, Ehr, EnabledService, Feedback, IssuedCard, Snooze, Suppression
from cds.prepared import insert
from cds.present import issued
from cds.service import DecisionService
from cds.suppress import Viewer, snooze, spare

SERVICE = registry.get("diabetes-risk")
DOCTOR, NURSE = "doctor", "nurse"


class Patients:
    """Assessments of an EHR's patients that are done, and the cards that their users were shown."""

    def __init__(self, ehr: Ehr) -> None:
        self.ehr = ehr

    def assessed(self, patient: str = "p1", *, rule: str = "model-high") -> Assessment:
        result = msgspec.json.encode(Finding(rule=rule, alert=True))
        return self._opened(patient, status=Assessment.Status.DONE, result=result)

    def unanswered(self, status: str) -> Assessment:
        return self._opened("p1", status=status)

    def _opened(self, patient: str, **more: Any) -> Assessment:
        return Assessment.objects.create(
            ehr=self.ehr,
            service_id=SERVICE.id,
            threshold=0.1,
            fingerprint=uuid.uuid4().hex,
            patient_key=self.ehr.pseudonym(patient),
            **more,
        )

    def show(
        self, assessment: Assessment, *cards: Card, user: str = DOCTOR, hook_instance: str | None = None
    ) -> list[Card]:
        """As the hook does it; each call is a new one unless a test says otherwise."""
        viewer = Viewer(user_key=user, hook_instance=hook_instance or str(uuid.uuid4()))
        shown, held = spare(list(cards), assessment=assessment, enabled=enabled(self.ehr, SERVICE), viewer=viewer)
        insert(*held, *issued(assessment, shown, viewer=viewer))
        return shown

    def override(self, card: Card, reason: str, **more: Any) -> Feedback:
        now = timezone.now()
        given = {"outcome": "overridden", "outcome_at": now, "service_id": SERVICE.id, **more}
        feedback = Feedback.objects.create(
            ehr=self.ehr, card_uuid=card.uuid, card_id=uuid.UUID(card.uuid), reason=reason, **given
        )
        snooze(feedback, service=SERVICE)
        return feedback


@pytest.fixture
def patients(ehr: Ehr) -> Patients:
    EnabledService.objects.update(cool_down_hours=8)
    return Patients(ehr)


def card(summary: str = "Consider HbA1c.", indicator: Indicator = "info") -> Card:
    return Card(summary=summary, indicator=indicator)


def reasons() -> list[str]:
    return list(Suppression.objects.order_by("pk").values_list("reason", flat=True))


def issued_ago(time: timedelta) -> None:
    IssuedCard.objects.update(issued_at=timezone.now() - time)


# --- Cool-down
def test_the_same_card_is_not_shown_to_the_same_user_again_within_the_cool_down(patients: Patients) -> None:
    assert patients.show(patients.assessed(), card())
    assert patients.show(patients.assessed(), card()) == []
    assert reasons() == ["cool-down"]


def test_after_the_cool_down_it_is_shown_again(patients: Patients) -> None:
    patients.show(patients.assessed(), card())
    issued_ago(timedelta(hours=8, minutes=1))
    assert patients.show(patients.assessed(), card())


def test_without_a_cool_down_nothing_is_spared(patients: Patients) -> None:
    EnabledService.objects.update(cool_down_hours=0)
    patients.show(patients.assessed(), card())
    assert patients.show(patients.assessed(), card())


def test_another_user_sees_it(patients: Patients) -> None:
    patients.show(patients.assessed(), card())
    assert patients.show(patients.assessed(), card(), user=NURSE)


def test_it_is_shown_for_another_patient(patients: Patients) -> None:
    patients.show(patients.assessed("p1"), card())
    assert patients.show(patients.assessed("p2"), card())


def test_new_facts_that_change_the_words_are_shown(patients: Patients) -> None:
    patients.show(patients.assessed(), card("HbA1c 6.0 %."))
    assert patients.show(patients.assessed(), card("HbA1c 6.3 %."))


def test_a_warning_does_not_cool_down(patients: Patients) -> None:
    for _ in range(2):
        assert patients.show(patients.assessed(), card(indicator="warning"))


def test_a_call_that_the_ehr_repeats_gets_its_card_again(patients: Patients) -> None:
    for _ in range(2):
        assert patients.show(patients.assessed(), card(), hook_instance="the-same-call")


def test_whom_nobody_names_is_spared_nothing(patients: Patients) -> None:
    for _ in range(2):
        assert patients.show(patients.assessed(), card(), user="")


def test_the_same_card_twice_in_one_answer_is_shown_once(patients: Patients) -> None:
    assert len(patients.show(patients.assessed(), card(), card())) == 1
    assert reasons() == ["duplicate"]


# --- Snooze
@pytest.mark.parametrize(
    ("reason", "days"),
    [
        ("already-known", 365),
        ("patient-declined", 180),
        ("hba1c-unreliable", 180),
        ("acutely-ill", 30),
        ("already-ordered", 30),
    ],
)
def test_an_override_with_a_reason_silences_its_rule_for_everyone_for_a_time(
    patients: Patients, reason: str, days: int
) -> None:
    (shown,) = patients.show(patients.assessed(), card())
    until = patients.override(shown, reason).outcome_at + timedelta(days=days)
    assert Snooze.objects.get().until == until
    assert patients.show(patients.assessed(), card("Other words."), user=NURSE) == []
    assert reasons() == ["snooze"]


def test_every_override_reason_of_the_service_is_known_or_snoozes_nothing_on_purpose() -> None:
    from cds.services.diabetes.cards import OVERRIDE_REASONS

    offered = {reason.code.code for reason in OVERRIDE_REASONS}
    assert offered - set(SERVICE.snoozes) == {"data-wrong"}
    assert set(SERVICE.snoozes) <= offered


def test_another_rule_is_not_snoozed(patients: Patients) -> None:
    (shown,) = patients.show(patients.assessed(), card())
    patients.override(shown, "already-known")
    assert patients.show(patients.assessed(rule="confirm-hba1c"), card("Confirm."))


def test_when_the_snooze_is_over_the_card_comes_back(patients: Patients) -> None:
    (shown,) = patients.show(patients.assessed(), card())
    patients.override(shown, "acutely-ill", outcome_at=timezone.now() - timedelta(days=31))
    issued_ago(timedelta(days=31))
    assert patients.show(patients.assessed(), card())


def test_a_time_in_the_future_does_not_lengthen_a_snooze(patients: Patients) -> None:
    (shown,) = patients.show(patients.assessed(), card())
    patients.override(shown, "acutely-ill", outcome_at=timezone.now() + timedelta(days=3650))
    assert Snooze.objects.get().until < timezone.now() + timedelta(days=31)


@pytest.mark.parametrize("reason", ["data-wrong", "", "unheard-of"])
def test_other_reasons_snooze_nothing(patients: Patients, reason: str) -> None:
    (shown,) = patients.show(patients.assessed(), card())
    patients.override(shown, reason)
    assert not Snooze.objects.exists()


def test_an_accepted_card_snoozes_nothing(patients: Patients) -> None:
    (shown,) = patients.show(patients.assessed(), card())
    patients.override(shown, "already-known", outcome="accepted")
    assert not Snooze.objects.exists()


def test_feedback_that_comes_twice_snoozes_once(patients: Patients) -> None:
    (shown,) = patients.show(patients.assessed(), card())
    snooze(patients.override(shown, "already-known"), service=SERVICE)
    assert Snooze.objects.count() == 1


def test_a_warning_is_silent_only_for_the_user_who_snoozed_it(patients: Patients) -> None:
    (shown,) = patients.show(patients.assessed(), card(indicator="warning"))
    patients.override(shown, "already-known")
    assert patients.show(patients.assessed(), card(indicator="warning")) == []
    assert patients.show(patients.assessed(), card(indicator="warning"), user=NURSE)


def test_nothing_silences_a_critical_card(patients: Patients) -> None:
    EnabledService.objects.update(daily_budget=0)
    (shown,) = patients.show(patients.assessed(), card(indicator="critical"))
    patients.override(shown, "already-known")
    assert patients.show(patients.assessed(), card(indicator="critical"))


# --- Budget
def test_beyond_the_budget_of_the_day_a_user_is_spared(patients: Patients) -> None:
    EnabledService.objects.update(daily_budget=2)
    shown = [patients.show(patients.assessed(f"p{number}"), card()) for number in range(4)]
    assert [len(cards) for cards in shown] == [1, 1, 0, 0]
    assert reasons() == ["budget", "budget"]
    assert patients.show(patients.assessed("p9"), card(), user=NURSE)


def test_the_budget_counts_from_midnight_at_the_hospital(patients: Patients) -> None:
    EnabledService.objects.update(daily_budget=1)
    Ehr.objects.update(time_zone="Pacific/Auckland")
    patients.ehr.refresh_from_db()
    patients.show(patients.assessed("p1"), card())
    midnight = patients.ehr.now().replace(hour=0, minute=0, second=0, microsecond=0)
    IssuedCard.objects.update(issued_at=midnight - timedelta(seconds=1))
    assert patients.show(patients.assessed("p2"), card())
    IssuedCard.objects.update(issued_at=midnight)
    assert patients.show(patients.assessed("p3"), card()) == []


def test_a_warning_is_never_held_back_by_the_budget(patients: Patients) -> None:
    EnabledService.objects.update(daily_budget=0)
    assert patients.show(patients.assessed(), card(indicator="warning"))
    assert patients.show(patients.assessed(), card()) == []


# --- No answer yet
@pytest.mark.parametrize("status", [Assessment.Status.QUEUED, Assessment.Status.FAILED, Assessment.Status.EXPIRED])
def test_a_card_without_an_answer_is_always_shown_and_uses_no_budget(patients: Patients, status: str) -> None:
    EnabledService.objects.update(daily_budget=1)
    waiting = patients.unanswered(status)
    for _ in range(3):
        assert patients.show(waiting, card("Still checking."))
    assert patients.show(patients.assessed(), card())


def test_a_service_that_names_no_snoozes_has_none() -> None:
    assert dict(DecisionService.snoozes) == {}

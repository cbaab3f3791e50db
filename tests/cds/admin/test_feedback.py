"""The review queue: who may read, what is shown, what a verdict does; and the search of comments."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from cds.feedback import report_wrong
from cds.models import Assessment, AuditEntry, Ehr, Feedback, Review
from cds.present import issued, present
from cds.retention import forget
from cds.review import prepare
from cds.services.diabetes.tests.charts import glucose, measured, person
from cds.suppress import Viewer
from scoring.models import Prediction
from tests.cds.answered import answered, production

HIGH = (glucose(150), measured("bmi", 34))
SEARCH = reverse("admin:cds_feedback_comments")


@pytest.fixture
def real(ehr: Ehr) -> Ehr:
    return production(ehr)


@pytest.fixture
def reviewer(db: None) -> Client:
    return signed_in("Grey", "clinical approver")


def signed_in(name: str, role: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.set(Group.objects.filter(name=role))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def doubted(assessment: Assessment) -> Feedback:
    return report_wrong(assessment, actor="a", reason="number", comment="Complete nonsense <b>")


def address(row: Feedback) -> str:
    return reverse("admin:cds_feedback_review", args=[row.pk])


def text(client: Client, row: Feedback) -> str:
    answer = client.get(address(row))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_tells_what_was_said_what_was_answered_and_why(reviewer: Client, real: Ehr) -> None:
    shown = text(reviewer, doubted(answered(real, *HIGH)))
    assert "Complete nonsense &lt;b&gt;" in shown
    assert "The comment says that it is wrong." in shown
    assert "The number does not fit this patient" in shown
    assert "Not replayed yet" in shown
    assert "rule model-high" in shown
    assert 'src="data:image/svg+xml' in shown


def test_the_replay_and_the_similar_cases_are_shown(reviewer: Client, real: Ehr) -> None:
    other = answered(real, glucose(149), measured("bmi", 33), patient=person(id="lindqvist"))
    assessment = answered(real, *HIGH)
    row = doubted(assessment)
    for one in (other, assessment):  # a similar case is one that was looked at before
        prepare(str(one.pk))
    shown = text(reviewer, row)
    assert "The same facts, model and threshold give the same answer again, to the byte." in shown
    assert "<td>149</td>" in shown
    assert "female" in shown
    assert "lindqvist" not in shown


def test_a_difference_that_nothing_explains_is_said(reviewer: Client, real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    assessment.result = bytes(assessment.result or b"").replace(b'"model-high"', b'"model-low"')
    assessment.save()
    prepare(str(assessment.pk))
    shown = text(reviewer, doubted(assessment))
    assert "nothing explains why" in shown
    assert "rule: model-low -&gt; model-high" in shown


def test_a_verdict_is_kept_taught_and_no_longer_waits(reviewer: Client, real: Ehr) -> None:
    row = doubted(answered(real, *HIGH))
    assert "joins the cases from which the next candidate" in text(reviewer, row)
    given = {"do": "judge", "verdict": "wrong", "label": "no", "note": "fasting was not asked"}
    assert reviewer.post(address(row), given).status_code == 302
    kept = Review.objects.get()
    assert (kept.verdict, kept.label, kept.by) == ("wrong", False, "Grey")
    assert bytes(kept.note or b"") == b"fasting was not asked"
    assert (Prediction.objects.get().label, Prediction.objects.get().known_by) == (False, "review")
    row.refresh_from_db()
    assert row.reviewed_at is not None
    assert "Grey said on" in text(reviewer, row)


def test_a_verdict_needs_a_verdict(reviewer: Client, real: Ehr) -> None:
    row = doubted(answered(real, *HIGH))
    answer = reviewer.post(address(row), {"do": "judge", "label": "no"})
    assert "This field is required" in answer.content.decode()
    assert not Review.objects.exists()


def test_of_a_test_patient_nothing_is_learnt_and_that_is_said(reviewer: Client, ehr: Ehr) -> None:
    assert "It is about an invented patient." in text(reviewer, doubted(answered(ehr, *HIGH)))


def test_an_overridden_card_can_be_reviewed_too(reviewer: Client, real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    card = issued(assessment, present(assessment, assessment.context), viewer=Viewer())[0]
    card.save()
    given = {"ehr": real, "service_id": "diabetes-risk", "card_uuid": str(card.uuid), "card": card}
    row = Feedback.objects.create(**given, outcome="overridden", outcome_at=real.now(), comment=b"no")
    assert "A card was overridden" in text(reviewer, row)
    assert reviewer.post(address(row), {"do": "judge", "verdict": "right", "label": "yes"}).status_code == 302
    assert Prediction.objects.get().label is True


def test_feedback_of_no_known_answer_is_shown_for_what_it_is(reviewer: Client, real: Ehr) -> None:
    given = {"ehr": real, "service_id": "diabetes-risk", "card_uuid": "?", "outcome": "overridden"}
    row = Feedback.objects.create(**given, outcome_at=real.now())
    assert "nothing to replay or to judge" in text(reviewer, row)


def test_of_a_restricted_chart_nothing_is_shown(reviewer: Client, real: Ehr) -> None:
    shown = text(reviewer, doubted(answered(real, *HIGH, patient=person(restricted=True))))
    assert "The chart is restricted" in shown
    assert "model-high" not in shown


def test_facts_that_are_gone_are_said_to_be_gone(reviewer: Client, real: Ehr, settings: Settings) -> None:
    row = doubted(answered(real, *HIGH))
    forget(Assessment.objects.all())
    assert "deleted after their retention time" in text(reviewer, row)


def test_facts_whose_key_is_lost_are_no_error(reviewer: Client, real: Ehr, settings: Settings) -> None:
    assessment = answered(real, *HIGH)
    row = report_wrong(assessment, actor="a", reason="number")
    settings.FIELD_KEYS = ["another key"]
    assert "FIELD_KEYS no longer holds the key" in text(reviewer, row)


def test_opening_the_page_is_audited_with_the_patient_s_key(reviewer: Client, real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    text(reviewer, doubted(assessment))
    for action in ("open-review", "read-feedback"):
        assert AuditEntry.objects.get(action=action).patient_key == assessment.patient_key


@pytest.mark.parametrize("role", ["auditor", "integrator"])
def test_only_reviewers_may(role: str, real: Ehr) -> None:
    row = doubted(answered(real, *HIGH))
    other = signed_in("Other", role)
    assert other.get(address(row)).status_code == 403
    assert other.post(address(row), {"do": "judge", "verdict": "right"}).status_code == 403
    assert other.get(SEARCH).status_code == 403
    assert not Review.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_button_has_a_worker_replay_it(reviewer: Client, real: Ehr, worker: None) -> None:
    row = doubted(answered(real, *HIGH))
    assert reviewer.post(address(row), {"do": "replay"}).status_code == 302
    assert "to the byte" in text(reviewer, row)


def test_comments_are_searched_and_each_that_is_shown_is_audited(reviewer: Client, real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    doubted(assessment)
    shown = reviewer.post(SEARCH, {"text": "NONSENSE", "days": "30"}).content.decode()
    assert "1 found, 1 read" in shown
    assert "Complete nonsense &lt;b&gt;" in shown
    assert AuditEntry.objects.get(action="read-feedback").patient_key == assessment.patient_key
    assert "0 found" in reviewer.post(SEARCH, {"text": "lindqvist", "days": "30"}).content.decode()


def test_the_words_searched_for_stand_in_no_address(reviewer: Client) -> None:
    assert 'method="post"' in reviewer.get(SEARCH).content.decode()
    reviewer.get(f"{SEARCH}?text=nonsense&days=30")
    assert not AuditEntry.objects.filter(action="search-comments").exists()


def test_the_list_can_be_narrowed_to_telling_words(reviewer: Client, real: Ehr) -> None:
    doubted(answered(real, *HIGH))
    listed = reverse("admin:cds_feedback_changelist")
    assert "says that it is wrong" in reviewer.get(f"{listed}?hints=any").content.decode()
    assert "1 feedback" in reviewer.get(f"{listed}?hints=wrong").content.decode()
    assert "0 feedback" in reviewer.get(f"{listed}?hints=harm").content.decode()

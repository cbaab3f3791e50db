"""The same facts, model and threshold give the same answer to the byte; or it is said whose change it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from pytest_django import Settings

from cds.models import Assessment, Ehr, EnabledService, IssuedCard
from cds.present import issued, present
from cds.replay import Replay, Verdict, as_of_today, replay
from cds.retention import forget
from cds.services.diabetes.tests.charts import glucose, hba1c, measured
from cds.suppress import Viewer
from scoring import shelf
from scoring.models import ModelVersion
from tests.cds.answered import SERVICE, answered, production

HIGH = (glucose(150), measured("bmi", 34))  # the model raises a card


@pytest.fixture
def real(ehr: Ehr) -> Iterator[Ehr]:
    shelf.forget()
    yield production(ehr)
    shelf.forget()


def shown(ehr: Ehr, *facts: Any) -> Assessment:
    """Answered, and its cards have left the house."""
    assessment = answered(ehr, *facts)
    cards = present(assessment, assessment.context)
    IssuedCard.objects.bulk_create(issued(assessment, cards, viewer=Viewer(user_key="u")))
    return assessment


def again(assessment: Assessment) -> Replay:
    return replay(Assessment.objects.defer("snapshot", "result").get(pk=assessment.pk))


def today(assessment: Assessment) -> Replay:
    return as_of_today(Assessment.objects.defer("snapshot", "result").get(pk=assessment.pk))


def altered(assessment: Assessment, old: str, new: str) -> Assessment:
    """As if the answer of then had been another one."""
    result = bytes(assessment.result or b"").decode()
    assert old in result
    assessment.result = result.replace(old, new).encode()
    assessment.save()
    return assessment


@pytest.mark.parametrize("facts", [HIGH, (glucose(80),), (hba1c(7),), ()])
def test_the_same_answer_comes_again(real: Ehr, facts: tuple[Any, ...]) -> None:
    found = again(shown(real, *facts))
    assert (found.verdict, found.why, found.differences) == (Verdict.SAME, (), ())
    assert found.then == found.now


def test_a_card_is_among_what_is_compared(real: Ehr) -> None:
    assessment = shown(real, *HIGH)
    assessment.cards.update(words_key="of other words")
    found = again(assessment)
    assert found.verdict is Verdict.UNEXPLAINED
    assert found.differences == ("cards: the card of rule model-high says something else now",)


def test_an_answer_that_nothing_explains_is_an_alarm(real: Ehr) -> None:
    found = again(altered(answered(real, *HIGH), '"model-high"', '"model-low"'))
    assert found.verdict is Verdict.UNEXPLAINED
    assert found.differences == ("rule: model-low -> model-high",)
    assert "without a new version" in found.why[0]


def test_other_code_explains_another_answer(real: Ehr) -> None:
    assessment = altered(answered(real, *HIGH), '"model-high"', '"model-low"')
    Assessment.objects.filter(pk=assessment.pk).update(service_version="0.9")
    found = again(assessment)
    assert found.verdict is Verdict.CODE
    assert "0.9" in found.why[0]


def test_other_code_with_the_same_answer_is_said_and_is_the_same(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    Assessment.objects.filter(pk=assessment.pk).update(service_version="0.9")
    found = again(assessment)
    assert found.verdict is Verdict.SAME
    assert "the answer is the same" in found.why[0]


def test_bytes_count_and_not_only_values(real: Ehr) -> None:
    """A number that was stored with other digits is another answer."""
    assessment = answered(real, *HIGH)
    probability = msgspec.json.decode(assessment.result or b"")["estimate"]["probability"]
    found = again(altered(assessment, repr(probability), f"{probability:.3f}"))
    assert found.verdict is Verdict.UNEXPLAINED
    assert found.differences[0].startswith("estimate.probability: ")


def test_a_retired_model_is_used_again(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    ModelVersion.objects.update(status=ModelVersion.Status.RETIRED)
    shelf.forget()
    assert again(assessment).verdict is Verdict.SAME


def test_a_model_that_is_gone_is_the_reason(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    ModelVersion.objects.all().delete()
    shelf.forget()
    assert again(assessment).verdict is Verdict.MODEL


def test_a_damaged_model_is_the_reason(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    ModelVersion.objects.update(artefact=b"something else")
    shelf.forget()
    found = again(assessment)
    assert found.verdict is Verdict.MODEL
    assert "sha256" in found.why[0]


def test_purged_facts_are_the_reason(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    forget(Assessment.objects.all())
    found = again(assessment)
    assert found.verdict is Verdict.FACTS
    assert "retention" in found.why[0]


def test_a_lost_key_is_the_reason(real: Ehr, settings: Settings) -> None:
    assessment = answered(real, *HIGH)
    settings.FIELD_KEYS = ["another key"]
    found = again(assessment)
    assert found.verdict is Verdict.FACTS
    assert "FIELD_KEYS" in found.why[0]


def test_facts_of_another_shape_are_the_code_s(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    Assessment.objects.filter(pk=assessment.pk).update(snapshot=b'{"patient": 7}')
    assert again(assessment).verdict is Verdict.CODE


def test_a_service_that_is_not_installed_any_more_is_the_code_s(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    Assessment.objects.filter(pk=assessment.pk).update(service_id="of-yesterday")
    assert again(assessment).verdict is Verdict.CODE


def test_where_there_was_no_answer_there_is_none_to_replay(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    Assessment.objects.filter(pk=assessment.pk).update(status="failed", result=None)
    assert again(assessment).verdict is Verdict.UNFINISHED


def test_another_secret_key_keeps_words_from_being_compared_and_that_is_said(real: Ehr, settings: Settings) -> None:
    assessment = shown(real, *HIGH)
    settings.SECRET_KEY = "another"
    found = again(assessment)
    assert found.verdict is Verdict.SAME
    assert "SECRET_KEY" in found.why[0]


def test_today_the_same_settings_give_the_same_answer(real: Ehr) -> None:
    assert today(answered(real, *HIGH)).verdict is Verdict.SAME


def test_a_higher_threshold_of_today_explains_why_the_card_would_not_come(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    EnabledService.objects.filter(ehr=real, service_id=SERVICE).update(threshold=0.99)
    found = today(assessment)
    assert found.verdict is Verdict.THRESHOLD
    assert "0.1 and is 0.99" in found.why[0]
    assert found.then is not None
    assert found.now is not None
    assert (len(found.then.cards), len(found.now.cards)) == (1, 0)


def test_another_version_of_today_explains_another_number(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    straightened("9.0.0", intercept=-4.0)
    shelf.approve("diabetes-risk", "9.0.0", by="two people")
    shelf.forget()
    found = today(assessment)
    assert found.verdict is Verdict.MODEL
    assert "is 9.0.0" in found.why[0]


def straightened(version: str, *, intercept: float) -> None:
    """The shipped model on another line of calibration."""
    live = ModelVersion.objects.get(name="diabetes-risk", status="approved")
    line = {"slope": 1.0, "intercept": intercept}
    shelf.put(live.name, bytes(live.artefact), {**live.facts, "version": version, "calibration": line})

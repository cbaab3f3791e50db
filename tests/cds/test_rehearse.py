"""All that was asked, put to another version: what moves is counted, and nobody can be recognised."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest

from cds import registry
from cds.context import PatientContext
from cds.errors import BadInput
from cds.finding import Outcome
from cds.models import Assessment, Ehr
from cds.rehearse import Rehearsal, recorded, rehearse
from cds.services.diabetes.service import DiabetesRisk
from cds.services.diabetes.tests.charts import NOW, diagnosis, glucose, hba1c, measured, person
from scoring import shelf
from scoring.errors import ModelMissing
from scoring.models import ModelVersion
from scoring.shelf import Model
from tests.cds.answered import SERVICE, answered, production
from tests.cds.test_replay import straightened

HIGH = (glucose(150), measured("bmi", 34))
LOW = (glucose(85), measured("bmi", 22))


@pytest.fixture
def real(ehr: Ehr) -> Iterator[Ehr]:
    shelf.forget()
    yield production(ehr)
    shelf.forget()


def against(version: str) -> Rehearsal:
    service = registry.get(SERVICE)
    return rehearse(service, recorded(service), version=version)


def live() -> str:
    return ModelVersion.objects.get(name="diabetes-risk", status="approved").version


def test_the_same_version_moves_nothing(real: Ehr) -> None:
    for facts in (HIGH, LOW, (hba1c(7),)):
        answered(real, *facts)
    found = against(live())
    assert (found.asked, found.scored, found.same, found.up, found.down) == (3, 3, 3, 0, 0)
    assert set(found.differences or ()) == {0.0}
    assert found.cards == {"appears": 0, "disappears": 0, "same words": 2, "other words": 0, "no card": 1}
    assert found.rules == {}
    assert sum(map(sum, found.bands)) == 3


def test_a_version_that_says_less_takes_a_card_away(real: Ehr) -> None:
    answered(real, *HIGH)
    answered(real, *LOW)
    straightened("9.0.0", intercept=-4.0)
    found = against("9.0.0")
    assert (found.recorded, found.same, found.up, found.down) == ({live(): 2}, 0, 0, 1)
    assert (found.cards["disappears"], found.cards["no card"]) == (1, 1)
    assert found.rules == {"model-high -> model-low": 1}
    assert found.differences is not None
    assert found.differences[0] < found.differences[4] < 0


def test_a_version_that_says_more_brings_one(real: Ehr) -> None:
    answered(real, *LOW)
    straightened("9.0.0", intercept=6.0)
    found = against("9.0.0")
    assert (found.up, found.cards["appears"]) == (1, 1)


def test_a_criterion_speaks_whatever_the_model_says(real: Ehr) -> None:
    answered(real, hba1c(7))
    answered(real, diagnosis("44054006"))
    straightened("9.0.0", intercept=-4.0)
    found = against("9.0.0")
    assert (found.asked, found.cards["disappears"], found.cards["no card"], found.rules) == (2, 0, 1, {})


def test_only_what_is_still_there_and_may_be_looked_at(real: Ehr) -> None:
    answered(real, *HIGH)
    gone = answered(real, *HIGH)
    Assessment.objects.filter(pk=gone.pk).update(snapshot=None)
    answered(real, *HIGH, patient=person(restricted=True))
    real.test_patients = "7"
    answered(real, *HIGH, patient=person(id="7"))
    assert against(live()).asked == 1


def test_facts_that_cannot_be_read_are_counted(real: Ehr) -> None:
    spoilt = answered(real, *HIGH)
    Assessment.objects.filter(pk=spoilt.pk).update(snapshot=b"not the facts")
    answered(real, *HIGH)
    found = against(live())
    assert (found.asked, found.unreadable) == (1, 1)


def test_since_a_day(real: Ehr) -> None:
    answered(real, *HIGH, days=-10)
    kept = answered(real, *HIGH)
    assert recorded(registry.get(SERVICE), since=NOW - timedelta(days=1)) == [str(kept.pk)]


def test_at_a_test_hospital_its_invented_patients_are_what_there_is(ehr: Ehr) -> None:
    answered(ehr, *HIGH)
    assert against(live()).asked == 1


def test_nothing_recorded_is_no_crash(real: Ehr) -> None:
    found = against(live())
    assert (found.asked, found.differences) == (0, None)


def test_no_one_can_be_recognised(real: Ehr) -> None:
    assessment = answered(real, *HIGH, patient=person(id="ada-lindqvist"))
    said = msgspec.json.encode(against(live())).decode()
    assert not [one for one in ("lindqvist", str(assessment.pk), assessment.patient_key, "1974") if one in said]


class Listening(DiabetesRisk):
    """The service itself; what it is asked is kept."""

    def __init__(self) -> None:
        self.heard: list[PatientContext] = []

    def assess(self, context: PatientContext, *, model: Model | None, threshold: float) -> Outcome:
        self.heard.append(context)
        return super().assess(context, model=model, threshold=threshold)


def test_the_service_is_not_told_whose_facts_these_are(real: Ehr) -> None:
    assessment = answered(real, *HIGH, patient=person(id="ada-lindqvist"))
    listening = Listening()
    rehearse(listening, [str(assessment.pk)], version=live())
    (heard,) = listening.heard
    assert b"lindqvist" not in heard.as_json()
    assert heard.observations == assessment.context.observations


def test_a_version_that_is_not_there_is_said(real: Ehr) -> None:
    with pytest.raises(ModelMissing, match="no version 7"):
        against("7")


def test_a_service_of_rules_alone_has_nothing_to_compare(real: Ehr) -> None:
    with pytest.raises(BadInput, match="no model"):
        rehearse(registry.get("metformin-renal"), [], version="1")

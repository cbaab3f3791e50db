"""The other way, asked once more of what was answered; it is stored, counted and never shown or written."""

from __future__ import annotations

import pytest

from cds import tasks
from cds.context import PatientContext
from cds.experiments import twins
from cds.facts import Person
from cds.fhir.dates import parse
from cds.flow import enabled, open_assessment
from cds.models import Assessment, EnabledService, Enrolment, Experiment, WriteBack
from cds.protocol import Arm
from cds.simulate import population
from cds.writeback import automatic
from tests.cds.experiments.test_arms import SERVICE
from tests.cds.experiments.trial import elsewhere, running
from tests.cds.shelves import draft


@pytest.fixture
def here(db: None) -> EnabledService:
    return elsewhere()


@pytest.fixture
def shadow(here: EnabledService) -> Experiment:
    other = Arm(model_version=draft().version, threshold=0.2)
    return running(here, form="shadow", other=other, metric="alerts", difference=0.1)


def answered(here: EnabledService, *, born: str = "1970-01-01", restricted: bool = False) -> Assessment:
    patient = Person(id=f"born {born}", birth_date=parse(born, here.ehr.zone), sex="female", restricted=restricted)
    context = PatientContext(patient=patient, now=here.ehr.now())
    row, _ = open_assessment(service=SERVICE, here=enabled(here.ehr, SERVICE), context=context)
    tasks.assess(str(row.pk))
    return row


def test_what_is_answered_is_asked_once_more_and_nobody_sees_it(here: EnabledService, shadow: Experiment) -> None:
    row = answered(here)
    enrolment = Enrolment.objects.get()
    assert (enrolment.assessment_id, enrolment.arm) == (row.pk, "standing")
    twin = enrolment.twin
    assert twin is not None
    assert (twin.model_version, twin.threshold) == ("9.0.0", 0.2)
    tasks.assess(str(twin.pk))
    twin.refresh_from_db()
    assert twin.settled
    assert not twin.cards.exists()
    assert Enrolment.objects.count() == 1  # a twin has none of its own


def test_again_changes_nothing(here: EnabledService, shadow: Experiment) -> None:
    row = answered(here)
    assert twins([str(row.pk)]) == []
    assert Enrolment.objects.count() == 1


def test_a_restricted_chart_and_what_no_longer_stands_have_no_twin(here: EnabledService, shadow: Experiment) -> None:
    answered(here, restricted=True)
    EnabledService.objects.update(threshold=0.3)
    answered(here, born="1980-01-01")
    assert not Enrolment.objects.exists()


def test_without_an_experiment_there_is_none(here: EnabledService) -> None:
    answered(here)
    assert Assessment.objects.count() == 1


def test_it_is_neither_written_by_policy_nor_counted_as_an_alert(here: EnabledService, shadow: Experiment) -> None:
    answered(here)
    tasks.assess(str(Enrolment.objects.get().twin_id))
    EnabledService.objects.update(write_back="auto")
    automatic(Assessment.objects.filter(shadow_of__isnull=False))
    assert not WriteBack.objects.exists()
    assert len(population(here, days=7).answers) == 1

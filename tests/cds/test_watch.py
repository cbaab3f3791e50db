"""Each model is watched at each hospital; an alarm rings once; one person counts once, by the newest known truth."""

from __future__ import annotations

import uuid
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from cds import tasks, watch
from cds.models import Assessment, Ehr
from scoring.models import DriftReport, ModelVersion, Prediction
from tests.cds.answered import SERVICE, production


@pytest.fixture
def real(ehr: Ehr) -> Ehr:
    return production(ehr)


def asked(
    ehr: Ehr, person: str, *, days: float = 1, glucose: float | None = 100, label: bool | None = None
) -> Prediction:
    """As cds.outcomes leaves it behind."""
    model = ModelVersion.objects.get(name="diabetes-risk", status="approved")
    at = timezone.now() - timedelta(days=days)
    given = {"service_version": "1", "threshold": 0.1, "status": "done", "created_at": at}
    case = Assessment.objects.create(
        ehr=ehr, service_id=SERVICE, fingerprint=str(uuid.uuid4()), patient_key=person, **given
    )
    row = dict.fromkeys(model.facts["features"], 50.0) | {"glucose": glucose}
    return Prediction.objects.create(
        case=case.pk,
        site=str(ehr.pk),
        service_id=SERVICE,
        model_name=model.name,
        model_version=model.version,
        row=row,
        probability=0.2,
        threshold=0.1,
        asked_at=at,
        label=label,
    )


def many(ehr: Ehr, count: int, *, days: float, glucose: float | None = 100) -> None:
    for number in range(count):
        asked(ehr, f"{days} {number}", days=days + number / 1000, glucose=glucose)


def empty_keys(report: DriftReport) -> list[str]:
    return [alarm["key"] for alarm in report.alarms if alarm["key"].startswith("empty")]


def test_a_report_says_how_many_people_and_that_no_outcome_is_known(real: Ehr) -> None:
    asked(real, "a")
    tasks.watch_models()
    report = DriftReport.objects.get()
    assert (report.site, report.service_id, report.people) == (str(real.pk), SERVICE, 1)
    assert "No outcome is known yet" in " ".join(report.findings["said"])


def test_nobody_asked_is_no_report(real: Ehr) -> None:
    asked(real, "a", days=60)
    assert watch.watch_all() == []


def test_a_hospital_that_is_switched_off_is_not_watched(real: Ehr) -> None:
    asked(real, "a")
    Ehr.objects.update(active=False)
    assert watch.watch_all() == []


def test_a_person_counts_once_by_the_newest_known_truth(real: Ehr) -> None:
    asked(real, "a", days=1, glucose=101)
    asked(real, "a", days=2, glucose=102, label=True)
    asked(real, "b", days=3, glucose=103)
    asked(real, "b", days=4, glucose=104)
    found = watch.people(Prediction.objects.all(), ("glucose",))
    assert found.rows[:, 0].tolist() == [102, 103]
    assert (found.label[0], np.isnan(found.label[1])) == (1, True)


def test_a_column_that_is_suddenly_empty_is_an_alarm_against_its_own_past(
    real: Ehr, caplog: pytest.LogCaptureFixture
) -> None:
    many(real, 40, days=70)
    many(real, 12, days=1, glucose=None)
    report = watch.watch_all()[0]
    assert "empty glucose own" in empty_keys(report)
    assert report.waiting
    assert "glucose is suddenly empty" in caplog.text


def test_what_somebody_has_seen_rings_no_more_and_something_new_does(
    real: Ehr, caplog: pytest.LogCaptureFixture
) -> None:
    many(real, 40, days=70)
    many(real, 12, days=1, glucose=None)
    first = watch.watch_all()[0]
    first.seen_at = timezone.now()
    first.waiting = False
    first.save()
    caplog.clear()
    second = watch.watch_all()[0]
    assert empty_keys(second) == empty_keys(first)
    assert not second.waiting
    assert caplog.text == ""
    Prediction.objects.filter(asked_at__gt=timezone.now() - timedelta(days=9)).update(
        row={**Prediction.objects.latest("asked_at").row, "bmi": None}
    )
    assert watch.watch_all()[0].waiting


def test_only_the_newest_report_waits(real: Ehr) -> None:
    many(real, 40, days=70)
    many(real, 12, days=1, glucose=None)
    watch.watch_all()
    watch.watch_all()
    assert [row.waiting for row in DriftReport.objects.order_by("pk")] == [False, True]


def test_every_version_and_hospital_is_watched_apart(real: Ehr) -> None:
    other = Ehr.objects.create(name="Elsewhere", fhir_base="https://elsewhere.example.org/fhir")
    asked(real, "a")
    asked(other, "a")
    assert {report.site for report in watch.watch_all()} == {str(real.pk), str(other.pk)}

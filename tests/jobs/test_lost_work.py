"""A worker that is killed in the middle of its work loses nothing: the row is the job."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from cds import assess, doorbell, tasks
from cds.flow import enabled, open_assessment
from cds.models import Assessment, Ehr
from tests.cds.test_flow import SERVICE, context


@pytest.mark.django_db(transaction=True)
def test_the_beat_finds_what_a_killed_worker_left_and_another_finishes_it(ehr: Ehr, worker: None) -> None:
    assessment, _ = open_assessment(service=SERVICE, here=enabled(ehr, SERVICE), context=context(ehr))
    # As a worker leaves it that took the message and was killed: queued, and nobody works on it.
    died = timezone.now() - assess.LOST_AFTER - timedelta(seconds=1)
    Assessment.objects.update(queued_at=died)
    with doorbell.listening(str(assessment.id)) as bell:
        tasks.pick_up_lost()
        assert bell.wait(30)
    assessment.refresh_from_db()
    assert assessment.status == Assessment.Status.DONE

"""A failure is never silence, and neither is a wait: whatever has no outcome gets a card that says so."""

from __future__ import annotations

import pytest

from cds.models import Assessment, Ehr
from cds.present import present
from tests.cds.test_flow import context, opened

Status = Assessment.Status


@pytest.mark.parametrize("status", [Status.FAILED, Status.EXPIRED])
def test_a_failure_is_a_card_that_says_that_it_is_no_answer(ehr: Ehr, status: str) -> None:
    assessment = opened(ehr)
    assessment.status = status
    (card,) = present(assessment, context(ehr))
    assert card.summary.startswith("Could not check for")
    assert "says nothing about the patient" in card.summary


def test_what_is_not_done_yet_is_a_card_that_says_so(ehr: Ehr) -> None:
    (card,) = present(opened(ehr), context(ehr))
    assert card.summary.startswith("Still checking for")

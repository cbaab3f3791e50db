"""The verb: a clinician saves, with the session's own token; what did not go through then is sent when it can be."""

from __future__ import annotations

from functools import partial

from django.db.models import QuerySet

from cds.fhir.client import FhirServer
from cds.identity import PatientIdentity
from cds.models import Assessment, EnabledService, WriteBack
from cds.prepared import Question
from cds.writeback import outbox
from cds.writeback.allowed import require_allowed, require_same, seen_key
from cds.writeback.alone import own_hand
from cds.writeback.hand import Hand, May, as_the_server_says
from cds.writeback.kept import records
from cds.writeback.work import carry_out, mark_what_waits

_wanted = Question(
    lambda: EnabledService.objects.filter(
        write_back=EnabledService.WriteBackPolicy.AUTO, stage=EnabledService.Stage.LIVE, ehr__active=True
    )
)


def write_back(
    assessment: Assessment,
    *,
    client: FhirServer,
    patient: PatientIdentity | None,
    confirmed_by: str,
    may: May = as_the_server_says,
) -> list[WriteBack]:
    """One row for each target; [] where there is nothing to keep.

    `confirmed_by`: fhirUser of the clinician. `patient`: as read just now. `may`: what the token's scopes allow.
    """
    hand = Hand(client=client, patient=patient, may=may, caller=assessment.ehr.pseudonym(confirmed_by))
    require_allowed(assessment)
    require_same(assessment, hand)
    asked: outbox.Asked = {"confirmed_by": confirmed_by, "seen_key": seen_key(assessment, patient)}
    rows = [outbox.entered(assessment, target, **asked) for target in records(assessment).targets]
    for row in rows:
        if outbox.press(row, **asked):
            carry_out(row, lambda: hand)
    mark_what_waits(assessment, asked=asked, lend=lambda: hand)
    return rows


def resume(row_id: int) -> None:
    """Send what waits, without a clinician; what needs one is kept until somebody presses again."""
    row = WriteBack.objects.select_related("assessment__ehr", "successor").get(pk=row_id)
    if outbox.take(row):
        carry_out(row, partial(own_hand, row))


def automatic(assessments: QuerySet[Assessment]) -> int:
    """By the policy `auto`: queue what their services keep; how many rows are new. Twice changes nothing.

    Only of services that are live, never of a restricted chart. Nobody has confirmed it, so it is preliminary.
    """
    entered = 0
    for here in _wanted():
        answered = assessments.filter(ehr=here.ehr, service_id=here.service_id, status=Assessment.Status.DONE)
        answered = answered.filter(shadow_of=None)  # what an experiment asks in another way is nobody's result
        for assessment in answered.filter(write_backs=None, retracted_at=None, snapshot__isnull=False).select_related(
            "ehr"
        ):
            if not assessment.context.patient.restricted:
                targets = records(assessment).targets
                entered += len([outbox.entered(assessment, target, confirmed_by="", seen_key="") for target in targets])
    return entered

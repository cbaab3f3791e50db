"""The verb: a clinician saves, with the session's own token; what did not go through then is sent when it can be."""

from __future__ import annotations

from cds.fhir.client import FhirServer
from cds.identity import PatientIdentity
from cds.models import Assessment, WriteBack
from cds.writeback import outbox, words
from cds.writeback.allowed import require_allowed, require_same, seen_key
from cds.writeback.hand import Hand, May, as_the_server_says
from cds.writeback.kept import records
from cds.writeback.work import carry_out, goes_on_alone


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
    asked = {"confirmed_by": confirmed_by, "seen_key": seen_key(assessment, patient)}
    rows = [outbox.entered(assessment, target, **asked) for target in records(assessment).targets]
    for row in rows:
        if outbox.press(row, **asked):
            carry_out(row, hand)
    return rows


def resume(row_id: int) -> None:
    """Send what waits, without a clinician; what needs one is kept until somebody presses again."""
    row = WriteBack.objects.select_related("assessment__ehr").get(pk=row_id)
    if not outbox.take(row):
        return
    if goes_on_alone(row):
        carry_out(row, None)
    else:
        outbox.finish(row, status=WriteBack.Status.WAITING, failure=words.INTERRUPTED)

"""Write back: what an assessment keeps goes into the chart and into the archive, each once, however often it is pressed.

A WriteBack row is the outbox entry of one assessment and one target. Whoever moves it to queued sends; everybody else
gets the row as it is. What failed may be pressed again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from django.db.models import F, Q
from django.utils import timezone

from cds import audit, registry
from cds.errors import BadInput, CdsError, FhirError, FhirRefused, FhirUnreachable
from cds.fhir.client import FhirServer
from cds.fhir.elements import Resource
from cds.fhir.transaction import BESIDE, WITH_CARD, essential, found_any, identifying_searches, references, transaction
from cds.filing import file_report
from cds.identity import PatientIdentity
from cds.models import Assessment, EnabledService, WriteBack
from cds.records import Charted, ObservationRecord, ReportRecord

logger = logging.getLogger(__name__)

ABANDONED_AFTER = timedelta(seconds=60)  # longer than all requests of one try may take
_NOT_THESE_TYPES = {403, 404, 405, 422}  # how servers say that they take no Device or Provenance from us


class WriteBackOff(CdsError):
    """The EHR's policy does not allow it."""

    status = 403


class Kept(NamedTuple):
    """A service's records, by where they go."""

    chart: list[Charted]
    report: ReportRecord | None

    @property
    def observation(self) -> ObservationRecord | None:
        return next((record for record in self.chart if isinstance(record, ObservationRecord)), None)


def write_back(
    assessment: Assessment, *, client: FhirServer, patient: PatientIdentity | None, confirmed_by: str
) -> list[WriteBack]:
    """One row for each target; [] where there is nothing to keep. `confirmed_by`: fhirUser of the clinician."""
    _require_allowed(assessment)
    _require_same(assessment, client=client, patient=patient)
    kept = records(assessment)
    rows = []
    if kept.chart:
        send = partial(_into_chart, kept.chart, client=client)
        rows.append(_once(assessment, WriteBack.Target.CHART, send=send, confirmed_by=confirmed_by))
    if kept.report:
        send = partial(_into_archive, kept.report, measured=kept.observation, patient=patient)
        rows.append(_once(assessment, WriteBack.Target.ARCHIVE, send=send, confirmed_by=confirmed_by))
    return rows


def records(assessment: Assessment) -> Kept:
    """What the service wants kept of its answer."""
    if assessment.outcome is None:
        raise BadInput("this assessment has no answer yet")
    context, service = assessment.context, registry.get(assessment.service_id)
    made = service.records(assessment.outcome, context, assessment_id=str(assessment.id), at=context.now)
    reports = [record for record in made if isinstance(record, ReportRecord)]
    return Kept(
        chart=[record for record in made if not isinstance(record, ReportRecord)],
        report=reports[0] if reports else None,
    )


def _require_allowed(assessment: Assessment) -> None:
    row = EnabledService.objects.filter(ehr=assessment.ehr, service_id=assessment.service_id).first()
    if row is None or not row.shown:
        raise WriteBackOff("this service is not shown at this EHR; nothing was written")
    if row.write_back == EnabledService.WriteBackPolicy.OFF:
        raise WriteBackOff("writing back is switched off for this service at this EHR; nothing was written")


def _require_same(assessment: Assessment, *, client: FhirServer, patient: PatientIdentity | None) -> None:
    """One hospital and one patient in the assessment, in the token's client and on the screen."""
    if client.base_uri.rstrip("/") != assessment.ehr.fhir_base.rstrip("/"):
        raise BadInput("the assessment belongs to another EHR; nothing was written")
    if patient and assessment.ehr.pseudonym(patient.id) != assessment.patient_key:
        raise BadInput("the assessment is about another patient; nothing was written")


# --- The outbox --------------------------------------------------------------------------------------------------
def _once(
    assessment: Assessment, target: WriteBack.Target, *, send: Callable[[WriteBack], list[str]], confirmed_by: str
) -> WriteBack:
    row, mine = _claim(assessment, target, confirmed_by=confirmed_by)
    if not mine:
        return row
    note = partial(_audit, row, confirmed_by=confirmed_by)
    note(step="begun")
    try:
        made = send(row)
    except CdsError as error:
        logger.warning("write-back %s of assessment %s failed: %s", target, assessment.id, _kind(error))
        _finish(row, status=WriteBack.Status.FAILED, failure=_said(error))
    else:
        _finish(row, status=WriteBack.Status.SENT, resources=made, sent_at=timezone.now())
    note(step=row.status)
    return row


def _claim(assessment: Assessment, target: WriteBack.Target, *, confirmed_by: str) -> tuple[WriteBack, bool]:
    """The row, and whether it is ours to send: new, failed before, or left behind by a process that died."""
    now = timezone.now()
    asked = {"requested_by": confirmed_by.encode(), "requested_at": now}
    row, created = WriteBack.objects.get_or_create(assessment=assessment, target=target, defaults={**asked, "tries": 1})
    if created:
        return row, True
    left = Q(status=WriteBack.Status.QUEUED, requested_at__lt=now - ABANDONED_AFTER)
    free = WriteBack.objects.filter(Q(status=WriteBack.Status.FAILED) | left, pk=row.pk, tries=row.tries)
    claimed = free.update(status=WriteBack.Status.QUEUED, failure="", tries=F("tries") + 1, **asked)
    row.refresh_from_db()
    return row, claimed == 1


def _finish(row: WriteBack, **fields: object) -> None:
    """Only while the try is still ours: one that was taken for dead must not overwrite its successor."""
    WriteBack.objects.filter(pk=row.pk, tries=row.tries).update(**fields)
    row.refresh_from_db()


def _audit(row: WriteBack, *, confirmed_by: str, step: str) -> None:
    ehr = row.assessment.ehr
    audit.record(
        "write-back",
        actor=ehr.pseudonym(confirmed_by),
        ehr=ehr,
        patient_id=row.assessment.context.patient.id,
        subject=str(row.assessment_id),
        target=row.target,
        step=step,
        made=len(row.resources),
    )


# --- The two targets ---------------------------------------------------------------------------------------------
def _into_chart(charted: list[Charted], row: WriteBack, *, client: FhirServer) -> list[str]:
    """With Device, model card and Provenance where the EHR takes them, else without the card, else the records alone."""
    fhir_user = bytes(row.requested_by or b"").decode().removeprefix(client.base_uri)
    form = partial(transaction, charted, fhir_user=fhir_user, confirmed_at=row.requested_at, version=client.version)
    alone = essential(charted, fhir_user=fhir_user, version=client.version)
    if row.tries > 1 and not _surely_new(alone, client=client):
        return _post(alone, client=client)
    for beside in (WITH_CARD, BESIDE):
        try:
            return _post(form(beside=beside), client=client)
        except FhirError as error:
            if error.http_status not in _NOT_THESE_TYPES:
                raise
            logger.info("the EHR refused %s beside the records (%s)", sorted(beside), error.http_status)
    return _post(alone, client=client)


def _surely_new(bundle: Resource, *, client: FhirServer) -> bool:
    """Did an earlier try, whose answer was lost, write nothing? False also where we may not look.

    What went through is then only asked for again, which creates nothing twice; a second Provenance would be.
    """
    for search in identifying_searches(bundle):
        try:
            return not found_any(client.get(search))
        except FhirRefused:
            continue
    return False


def _post(bundle: Resource, *, client: FhirServer) -> list[str]:
    return references(client.post_json("", bundle).content, sent=bundle)


def _into_archive(
    report: ReportRecord, row: WriteBack, *, measured: ObservationRecord | None, patient: PatientIdentity | None
) -> list[str]:
    if patient is None or measured is None:
        raise BadInput("a report needs the patient's identity and a value")
    return list(file_report(report, measured=measured, patient=patient, ehr=row.assessment.ehr).uids)


# --- What went wrong, for the clinician --------------------------------------------------------------------------
def _said(error: CdsError) -> str:
    """What happened and what to do; no address and nothing of the patient."""
    match error:
        case FhirUnreachable():
            said = "The EHR did not answer in time or is busy. Try again: what arrived is not written twice."
        case FhirRefused():
            said = "The EHR does not allow it for this user and this app."
        case FhirError(http_status=int()):
            said = "The EHR did not accept it."
        case _:
            said = f"{str(error)[:1].upper()}{str(error)[1:]}."
    return f"{said} ({_kind(error)})"[:300]


def _kind(error: CdsError) -> str:
    detail = error.http_status if isinstance(error, FhirError) else None
    return f"{type(error).__name__} {detail}" if detail else type(error).__name__

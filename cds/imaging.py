"""Look in the archive: studies and measured numbers join the facts of the record, where a service says that they matter.

The archive knows record numbers and no FHIR ids, so it is asked for the number on the Patient that the record holds. It is
asked only where an administrator has switched that on, and it is never required: docs/decisions/012-archive-is-asked.md.
"""

from __future__ import annotations

import logging
from math import inf

import msgspec

from cds.connect import archive_of
from cds.context import PatientContext
from cds.dicom.archive import DicomWeb
from cds.dicom.find import Search
from cds.dicom.numbers import Numbers
from cds.errors import ArchiveError, BadInput, FhirError
from cds.facts import Imaging, Issue, Observed, newest_first
from cds.fhir.client import FhirServer
from cds.fhir.decoding import UNREADABLE
from cds.fhir.identity import identity
from cds.identity import PatientIdentity
from cds.models import Ehr
from cds.needs import ArchiveNeed
from cds.service import DecisionService

logger = logging.getLogger(__name__)


def with_imaging(
    context: PatientContext,
    service: DecisionService,
    *,
    ehr: Ehr,
    client: FhirServer | None,
    patient: msgspec.Raw | None = None,
    seconds: float = inf,
) -> PatientContext:
    """The context and what the archive adds. `patient`: the Patient as it was prefetched, else `client` reads it.

    `seconds`: for all that the archive is asked. What could not be had is an issue of the context.
    """
    need = service.archive(context)
    if need is None or not ehr.archive_searched:
        return context
    if client is not None and client.searches.offers(need.in_chart) and not client.opens(need.in_chart):
        return _add(context, Issue(need=need.key, reason="the imaging archive is not opened to you"))
    try:
        raw = patient if patient is not None or client is None else client.get(f"Patient/{context.patient.id}")
        who = _identity(raw or b"null", ehr)
        search = Search(archive=_searchable(ehr, seconds), patient=who, zone=ehr.zone)
        return _with(context, need, *_found(search, need, context))
    except (ArchiveError, FhirError, BadInput) as error:
        logger.warning("the archive of EHR %s could not be searched: %s: %s", ehr.pk, type(error).__name__, error)
        return _add(context, Issue(need=need.key, reason="the imaging archive could not be searched"))


def _identity(patient: bytes | msgspec.Raw, ehr: Ehr) -> PatientIdentity:
    try:
        found = identity(msgspec.json.decode(patient), mrn_system=ehr.mrn_system)
    except UNREADABLE as error:
        raise BadInput("the Patient cannot be read") from error
    if not found.mrn:
        raise BadInput("the record names no single record number of the patient")
    return found


def _searchable(ehr: Ehr, seconds: float) -> DicomWeb:
    archive = archive_of(ehr, seconds=seconds)
    if not isinstance(archive, DicomWeb):
        raise BadInput("only an archive with DICOMweb can be searched")
    return archive


def _found(
    search: Search, need: ArchiveNeed, context: PatientContext
) -> tuple[list[Imaging], list[Observed], list[Issue]]:
    since = (context.now - need.within).date()
    studies = search.studies(since=since) if need.studies else []
    reports = list(search.reports(since=since)) if need.analytes else []
    read = [Numbers(report, need, zone=search.zone) for report in reports]
    measured = [fact for one in read for fact in one.facts if fact.when.earliest <= context.now]
    return studies, measured, [issue for one in read for issue in one.issues]


def _with(
    context: PatientContext, need: ArchiveNeed, studies: list[Imaging], measured: list[Observed], issues: list[Issue]
) -> PatientContext:
    observations = dict(context.observations)
    for fact in measured:
        observations[fact.analyte] = newest_first([*observations.get(fact.analyte, ()), fact])
    return msgspec.structs.replace(
        context,
        observations=observations,
        imaging=(*context.imaging, *studies),
        issues=(*context.issues, *issues),
        unread=tuple(key for key in context.unread if key != need.key),
    )


def _add(context: PatientContext, issue: Issue) -> PatientContext:
    return msgspec.structs.replace(context, issues=(*context.issues, issue))

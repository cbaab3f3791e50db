"""What of an answer stands in the chart, by what its rows remember; and which of several answers is the newest there."""

from __future__ import annotations

from urllib.parse import quote, unquote

from django.db.models import QuerySet
from django.utils import timezone

from cds.errors import BadInput, FhirInvalid, FhirRefused, Gone
from cds.fhir import stepwise
from cds.fhir.client import FhirServer
from cds.fhir.write import ASSESSMENT
from cds.models import Assessment, Merge, WriteBack
from cds.writeback.kept import records
from cds.writeback.plan import names
from cds.writeback.taking import Taking

Aim, Form, Target = WriteBack.Aim, WriteBack.Form, WriteBack.Target
_IN_FULL: set[str] = {Form.RISK_ASSESSMENT, Form.OBSERVATION}
_KINDS: dict[str, set[str]] = {
    Form.RISK_ASSESSMENT: _IN_FULL,
    Form.OBSERVATION: {Form.OBSERVATION},
    Form.DOCUMENT: {Form.DOCUMENT},
    Form.REPORT: {Form.REPORT},
}


def written(assessment: Assessment) -> WriteBack | None:
    """The chart's row, if anything of it stands there or may."""
    return _in_charts().filter(assessment=assessment).first()


def of(assessment: Assessment) -> WriteBack | None:
    """The chart's row, whatever came of it."""
    return WriteBack.objects.filter(assessment=assessment, target=Target.CHART, aim=Aim.WRITE).first()


def may_stand(assessment: Assessment) -> bool:
    """Has anything of it been sent to the chart, or is it being sent? What was declined as a whole was not written."""
    tried = WriteBack.objects.filter(assessment=assessment, target=Target.CHART, aim=Aim.WRITE, tries__gt=0)
    return any(row.resources or row.status != WriteBack.Status.DECLINED for row in tried)


def being_written(assessment: Assessment) -> bool:
    """Somebody works on it at this moment, or confirms it."""
    return WriteBack.objects.filter(
        assessment=assessment,
        target=Target.CHART,
        aim__in=[Aim.WRITE, Aim.CONFIRM],
        held_until__gt=timezone.now(),
    ).exists()


def of_the_same(assessment: Assessment) -> QuerySet[WriteBack]:
    """The charts' rows of this service's answers about this patient that count."""
    return _in_charts().filter(
        assessment__ehr=assessment.ehr,
        assessment__service_id=assessment.service_id,
        assessment__patient_key__in=_keys(assessment),
        assessment__retracted_at=None,
    )


def unmarked(assessment: Assessment) -> QuerySet[WriteBack]:
    """What is still to be marked of this service's answers about this patient."""
    return WriteBack.objects.filter(
        aim__in=[Aim.SUPERSEDE, Aim.RETRACT, Aim.UNDO],
        status__in=[WriteBack.Status.QUEUED, WriteBack.Status.WAITING],
        assessment__ehr=assessment.ehr,
        assessment__service_id=assessment.service_id,
        assessment__patient_key__in=_keys(assessment),
    ).select_related("assessment__ehr", "successor")


def _keys(assessment: Assessment) -> list[str]:
    """The patient's, and those of records that were merged into theirs."""
    return [assessment.patient_key, *Merge.into(assessment.ehr_id, assessment.patient_key)]


def places(row: WriteBack, client: FhirServer) -> list[str]:
    """`Type/id` of each result that the row knows of; beside them stand its author and the Provenance, which stay.

    Among documents the model card may be: only what it says itself tells it apart.
    """
    kinds = _KINDS.get(row.form, set(Form.values))
    known = [made for made in row.resources if made.partition("?")[0].partition("/")[0] in kinds]
    found = [_looked_up(made, client) if "?" in made else made for made in known]
    return [place for place in found if place]


def places_even_lost(row: WriteBack, taking: Taking) -> list[str]:
    """The same, and what a try has written whose answer never came; raises BadInput where nobody may look for that."""
    known = places(row, taking.hand.client)
    if row.written:
        return known
    found = _found(row, taking)
    there = {_kind(place) for place in (*known, *found.values()) if place}
    perhaps = _perhaps(there, taking)
    if any(found[form] is None for form in perhaps & found.keys()):
        raise BadInput("an earlier try may have written it, and Bedside may not look: look in the chart")
    sent = [place for place in known if _kind(place) in perhaps]  # other documents are model cards
    return list(dict.fromkeys([*sent, *filter(None, found.values())]))


def _found(row: WriteBack, taking: Taking) -> dict[str, str | None]:
    """By form, the place that bears its identifier, "" where there is none; None where we may not look."""
    try:
        wanted = names(records(row.assessment))
    except Gone:  # after the retention time of its facts nobody tries any more
        return {}
    found: dict[str, str | None] = {}
    for identifier, form in wanted.items():
        try:
            may = taking.takes(form, "search-type")
            found[form] = _named(form, ASSESSMENT, identifier, taking.hand.client) if may else None
        except (FhirRefused, FhirInvalid):
            found[form] = None
    return found


def _perhaps(there: set[str], taking: Taking) -> set[str]:
    """In which forms it may have been sent: where the fullest is taken, in no other."""
    full = there & _IN_FULL or any(map(taking.takes, _IN_FULL))
    return _IN_FULL if full else set(Form.values)


def _kind(place: str) -> str:
    return place.partition("/")[0]


def _looked_up(search: str, client: FhirServer) -> str:
    """Where an answer to a transaction did not name what was there already."""
    kind, _, query = search.partition("?")
    system, _, value = unquote(query).removeprefix("identifier=").partition("|")
    return _named(kind, system, value, client) if system == ASSESSMENT else ""  # else it is the model card


def _named(kind: str, system: str, value: str, client: FhirServer) -> str:
    entry = {"request": {"url": kind, "ifNoneExist": f"identifier={quote(f'{system}|{value}', safe='')}"}}
    return stepwise.find(entry, {"identifier": [{"system": system, "value": value}]}, client=client) or ""


def _in_charts() -> QuerySet[WriteBack]:
    return WriteBack.objects.filter(target=Target.CHART, aim=Aim.WRITE).exclude(resources=[])

"""What of an answer stands in the chart, by what its rows remember; and which of several answers is the newest there."""

from __future__ import annotations

from urllib.parse import unquote

from django.db.models import QuerySet

from cds.fhir import stepwise
from cds.fhir.client import FhirServer
from cds.fhir.write import ASSESSMENT
from cds.models import Assessment, WriteBack

Aim, Form, Target = WriteBack.Aim, WriteBack.Form, WriteBack.Target
_KINDS: dict[str, set[str]] = {
    Form.RISK_ASSESSMENT: {Form.RISK_ASSESSMENT, Form.OBSERVATION},
    Form.OBSERVATION: {Form.OBSERVATION},
    Form.DOCUMENT: {Form.DOCUMENT},
    Form.REPORT: {Form.REPORT},
}


def written(assessment: Assessment) -> WriteBack | None:
    """The chart's row, if anything of it stands there or may."""
    return _in_charts().filter(assessment=assessment).first()


def of_the_same(assessment: Assessment) -> QuerySet[WriteBack]:
    """The charts' rows of this service's answers about this patient."""
    return _in_charts().filter(
        assessment__ehr=assessment.ehr,
        assessment__service_id=assessment.service_id,
        assessment__patient_key=assessment.patient_key,
    )


def places(row: WriteBack, client: FhirServer) -> list[str]:
    """`Type/id` of each result that the row knows of; beside them stand its author and the Provenance, which stay.

    Among documents the model card may be: only what it says itself tells it apart.
    """
    kinds = _KINDS.get(row.form, set(Form.values))
    known = [made for made in row.resources if made.partition("?")[0].partition("/")[0] in kinds]
    found = [_looked_up(made, client) if "?" in made else made for made in known]
    return [place for place in found if place]


def _looked_up(search: str, client: FhirServer) -> str:
    """Where an answer to a transaction did not name what was there already."""
    kind, _, query = search.partition("?")
    system, _, value = unquote(query).removeprefix("identifier=").partition("|")
    if system != ASSESSMENT:
        return ""  # the model card
    entry = {"request": {"url": kind, "ifNoneExist": query}}
    return stepwise.find(entry, {"identifier": [{"system": system, "value": value}]}, client=client) or ""


def _in_charts() -> QuerySet[WriteBack]:
    return WriteBack.objects.filter(target=Target.CHART, aim=Aim.WRITE).exclude(resources=[])

"""In which form an answer enters a chart: as much of it as the EHR takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import NamedTuple

from cds.errors import CdsError
from cds.fallbacks import as_diagnostic_report, as_document
from cds.fhir.elements import Resource
from cds.fhir.transaction import WITH_CARD, transaction
from cds.models import WriteBack
from cds.records import Charted, DiagnosticReportRecord, DocumentRecord, ObservationRecord, RiskAssessmentRecord
from cds.report_pdf import report_pdf
from cds.writeback.kept import Kept
from cds.writeback.taking import MODEL_CARD, Taking

Form = WriteBack.Form

_FORM_OF: dict[type[Charted], Form] = {
    RiskAssessmentRecord: Form.RISK_ASSESSMENT,
    ObservationRecord: Form.OBSERVATION,
    DocumentRecord: Form.DOCUMENT,
    DiagnosticReportRecord: Form.REPORT,
}


class Declined(CdsError):
    """The EHR takes it in no form: the answer stays on the card and on the page."""


class Plan(NamedTuple):
    """`lacking`: in words, what is left out and why; "" where nothing is."""

    form: Form
    bundle: Resource
    lacking: str


def plan(kept: Kept, taking: Taking, *, fhir_user: str, confirmed_at: datetime) -> Plan:
    """The first of the ways to say it of which the EHR takes anything; raises Declined if there is none."""
    obstacles: dict[Form, str] = {}
    for records in _ways(kept, page=partial(_page, kept, taking)):
        obstacles |= {form: taking.obstacle(form, "create") for form in map(_form, records)}
        if taken := [record for record in records if not obstacles[_form(record)]]:
            break
    lacking = in_words(obstacles)
    if not taken:
        raise Declined(f"the EHR takes {lacking}. Nothing was written; the answer stays on the card and on this page")
    version = taking.hand.client.version
    bundle = transaction(taken, fhir_user=fhir_user, confirmed_at=confirmed_at, version=version, beside=_beside(taking))
    return Plan(min(map(_form, taken), key=list(Form).index), bundle, lacking)


def names(kept: Kept) -> dict[str, Form]:
    """By its identifier, each resource in which an answer may stand in a chart."""
    return {record.identifier: _form(record) for records in _ways(kept) for record in records}


def _ways(kept: Kept, *, page: Callable[[], bytes] = bytes) -> Iterator[list[Charted]]:
    """Fullest first: what the service keeps; a document for people; the conclusion alone. `page`: made where needed."""
    yield kept.chart
    if kept.report and kept.observation:
        yield [as_document(kept.report, kept.observation, page=page())]
        yield [as_diagnostic_report(kept.report, kept.observation)]


def _page(kept: Kept, taking: Taking) -> bytes:
    """The archive's page; b"" where it is not known whom to name on it."""
    patient, ehr = taking.hand.patient, taking.ehr
    if kept.report is None or patient is None:
        return b""
    return report_pdf(kept.report, patient=patient, hospital=ehr.name, is_test=ehr.is_test)


def _beside(taking: Taking) -> frozenset[str]:
    """The algorithm's Device is there once for all answers, and so is its model card, which is in no patient's chart."""
    wanted = {
        "Provenance": taking.takes("Provenance"),
        "Device": taking.takes_once("Device"),
        "DocumentReference": taking.takes_once(MODEL_CARD),
    }
    return frozenset(kind for kind in WITH_CARD if wanted[kind])


def in_words(obstacles: dict[Form, str]) -> str:
    """What it does not take, fullest first; each reason once."""
    left_out = {form: obstacles[form] for form in Form if obstacles.get(form)}
    reasons = dict.fromkeys(left_out.values())
    kinds = [", ".join(f"no {form.label}" for form in left_out if left_out[form] == why) for why in reasons]
    return " and ".join(f"{kind} ({why})" for kind, why in zip(kinds, reasons, strict=True))


def _form(record: Charted) -> Form:
    return _FORM_OF[type(record)]

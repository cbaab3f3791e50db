"""POST /api/predict: one patient's values or Bundle in, the answer out. The same fold and rules as for a hook."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from cds import audit, labels, registry
from cds.context import PatientContext
from cds.errors import UnknownService
from cds.fhir.read import Reader
from cds.flow import decide, enabled
from cds.formats import body
from cds.gather import assemble
from cds.models import Assessment, Ehr, EnabledService
from cds.service import DecisionService
from smartapp.backend import asked, said
from smartapp.backend.api import Api, caller
from smartapp.backend.refusals import Busy, Issue, Unusable
from smartapp.backend.scopes import PREDICT
from smartapp.backend.spec import predict

AGAIN_SECONDS = 2


@predict
class Predict(Api):
    operation = "predict"
    scopes = (PREDICT,)

    def post(self, request: Request) -> Response:
        client = caller(request)
        service = service_called(_service(request))
        here, now = shown(client.ehr, service), client.ehr.now()
        question = asked.read(body(request), service, now=now)
        if question.named and client.ehr.opted_out(question.chart.id):
            self._audit(client.ehr, patient_id=question.chart.id, subject=service.id, answer="opted-out")
            return Response(said.as_json(said.opted_out(service)))
        context = _context(question, service, client.ehr, now)
        assessment = decide(service=service, here=here, context=context, wait=settings.PREDICT_WAIT_SECONDS)
        self._audit(client.ehr, patient_id=context.patient.id, subject=str(assessment.pk), answer=_named(assessment))
        return Response(_answer(assessment, context, service))

    def _audit(self, ehr: Ehr, **more: Any) -> None:
        audit.record("predict-call", actor=caller(self.request).actor, ehr=ehr, **more)


def _service(request: Request) -> str:
    """Unusable for what we do not know: silently ignored, it would be answered wrongly."""
    wrong = [name for name in request.query_params if name != "service"]
    if wrong:
        raise Unusable(*(Issue("not-supported", "there is no such parameter", name) for name in wrong))
    ids = request.query_params.getlist("service")
    if len(ids) > 1:
        raise Unusable(Issue("not-supported", "one service at a time", "service"))
    return ids[0] if ids else ""


def service_called(service_id: str) -> DecisionService:
    """By its id; without one the first that scores with a model."""
    if service_id:
        try:
            return registry.get(service_id)
        except UnknownService as error:
            raise NotFound("There is no such service.") from error
    return next(service for service in registry.all_services() if service.model)


def shown(ehr: Ehr, service: DecisionService) -> EnabledService:
    """How it runs at this EHR, where its answers are shown at all: a silent service is silent for callers, too."""
    here = enabled(ehr, service)
    if here.stage == EnabledService.Stage.OFF:
        raise NotFound("This service is off at this EHR.")
    if not here.shown:
        raise PermissionDenied("This service runs silently at this EHR: its answers are not shown to anybody yet.")
    return here


def _context(question: asked.Asked, service: DecisionService, ehr: Ehr, now: datetime) -> PatientContext:
    chart = question.chart
    out = labels.kept_out(except_for=ehr.labels_read)
    reader = Reader(patient_id=chart.id, zone=ehr.zone, names=frozenset(chart.names), kept_out=out)
    context = assemble(service.needs, chart.readings(service.needs, reader), patient_id=chart.id, now=now)
    if context.patient.restricted and not ehr.restricted_in_hooks:
        raise PermissionDenied("This chart is opened by a person and for a reason only.")
    doubts = [question.issue(doubt) for doubt in context.issues]
    lacking = [Issue("required", f"missing: {name}") for name in service.lacking(context)]
    if lacking or (doubts and question.places):
        raise Unusable(*lacking, *doubts)  # who sends values can correct them; a record is as it is
    return context


def _named(assessment: Assessment) -> str:
    return assessment.status if assessment.retracted_at is None else "retracted"


def _answer(assessment: Assessment, context: PatientContext, service: DecisionService) -> dict[str, Any]:
    if assessment.retracted_at is not None:
        return said.as_json(said.retracted(assessment, service))
    match assessment.status, assessment.outcome:
        case Assessment.Status.DONE, outcome if outcome is not None:
            return said.as_json(said.answer(assessment, outcome, context, service=service))
        case Assessment.Status.QUEUED, _:
            raise Busy("The answer is not ready. Ask the same again in a moment.", wait=AGAIN_SECONDS)
        case _:
            raise Busy("The answer could not be computed; an administrator has been told.", wait=60)

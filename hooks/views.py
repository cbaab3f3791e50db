"""Three short views: parse, call one verb, render."""

from __future__ import annotations

import time

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cds import audit, registry
from cds.connect import bearer_client
from cds.errors import BadInput
from cds.feedback import hear
from cds.fhir.client import FhirServer
from cds.flow import decide, enabled
from cds.gather import gather
from cds.models import Assessment, Ehr, EnabledService
from cds.present import issue, present
from cds.service import DecisionService
from hooks.models import HookCall
from hooks.parsers import Body
from hooks.requests import HookRequest, encounter_id, parse, patient_id, user
from hooks.responses import cards_as_json, service_as_json
from hooks.trust import Caller

Stage = EnabledService.Stage


class Discovery(APIView):
    """GET /cds-services: what we offer (CDS Hooks 2.0.1, "Discovery"). Open: it says nothing about anybody."""

    def get(self, request: Request) -> Response:
        return Response(
            {"services": [service_as_json(service) for service in registry.all_services()]},
            headers={"Cache-Control": "public, max-age=600"},
        )


class Call(APIView):
    """POST /cds-services/{id}: gather, decide, present."""

    authentication_classes = (Caller,)
    parser_classes = (Body,)

    def post(self, request: Request, service_id: str) -> Response:
        started = time.perf_counter()
        service, ehr = registry.get(service_id), request.auth
        hook = parse(request.data or b"", service)
        patient = patient_id(hook)
        answer, assessment = self._answer(service, ehr, hook, patient)
        audit.record(
            "hook",
            actor=ehr.pseudonym(user(hook)),
            ehr=ehr,
            patient_id=patient,
            subject=str(assessment.id) if assessment else service.id,
        )
        HookCall.objects.create(
            ehr=ehr,
            service_id=service.id,
            hook_instance=hook.hook_instance[:64],
            status=200,
            answer=assessment.status if assessment else "off",
            cards=len(answer["cards"]),
            milliseconds=(time.perf_counter() - started) * 1000,
            prefetched=len(hook.prefetch or {}),
        )
        return Response(answer)

    def _answer(
        self, service: DecisionService, ehr: Ehr, hook: HookRequest, patient: str
    ) -> tuple[dict[str, list[object]], Assessment | None]:
        at = enabled(ehr, service).stage
        if at == Stage.OFF:
            return {"cards": []}, None
        context = gather(
            service,
            patient_id=patient,
            now=ehr.now(),
            client=_client(ehr, hook),
            prefetch=hook.prefetch,
            encounter_id=encounter_id(hook),
        )
        wait = settings.HOOK_WAIT_SECONDS if at == Stage.LIVE else 0
        assessment = decide(service=service, ehr=ehr, context=context, wait=wait)
        cards = present(assessment) if at == Stage.LIVE else []
        issue(assessment, cards)
        return cards_as_json(cards, service=service, assessment=assessment), assessment


class FeedbackDoor(APIView):
    """POST /cds-services/{id}/feedback (CDS Hooks 2.0.1, "Feedback")."""

    authentication_classes = (Caller,)
    parser_classes = (Body,)

    def post(self, request: Request, service_id: str) -> Response:
        hear(request.data or b"", service=registry.get(service_id), ehr=request.auth)
        return Response(status=200)


def _client(ehr: Ehr, hook: HookRequest) -> FhirServer | None:
    """A client for the hook's own token, if `fhirServer` is the one that is registered for this EHR."""
    token = hook.fhir_authorization.access_token if hook.fhir_authorization else ""
    if not hook.fhir_server or not token:
        return None
    if hook.fhir_server.rstrip("/") != ehr.fhir_base.rstrip("/"):
        raise BadInput("fhirServer is not the one that is registered for this EHR")
    return bearer_client(ehr, token)

"""Three short views: parse, call one verb, render."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cds import audit, registry
from cds.cards import Card
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
from hooks.parsers import Body, body
from hooks.requests import HookRequest, encounter_id, parse, patient_id, user
from hooks.responses import cards_as_json, service_as_json
from hooks.trust import Caller, caller

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

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.log = HookCall(received_at=timezone.now())
        return super().initialize_request(request, *args, **kwargs)

    def post(self, request: Request, service_id: str) -> Response:
        service, self.log.ehr = registry.get(service_id), caller(request)
        hook = parse(body(request), service)
        at = enabled(self.log.ehr, service).stage
        self.log.hook_instance, self.log.prefetched = hook.hook_instance[:64], len(hook.prefetch or {})
        if at == Stage.OFF:
            return Response({"cards": []})
        assessment = self._decide(service, hook, wait=settings.HOOK_WAIT_SECONDS if at == Stage.LIVE else 0)
        cards = present(assessment) if at == Stage.LIVE else []
        self._keep(hook, assessment, cards)
        return Response(cards_as_json(cards, service=service, assessment=assessment))

    def _decide(self, service: DecisionService, hook: HookRequest, *, wait: float) -> Assessment:
        ehr = self.log.ehr
        context = gather(
            service,
            patient_id=patient_id(hook),
            now=ehr.now(),
            client=_client(ehr, hook),
            prefetch=hook.prefetch,
            encounter_id=encounter_id(hook),
        )
        return decide(service=service, ehr=ehr, context=context, wait=wait)

    def _keep(self, hook: HookRequest, assessment: Assessment, cards: list[Card]) -> None:
        """Which cards left, and that somebody asked about this patient: both or none."""
        ehr = self.log.ehr
        self.log.answer, self.log.cards = assessment.status, len(cards)
        with transaction.atomic():
            issue(assessment, cards)
            audit.record(
                "hook",
                actor=ehr.pseudonym(user(hook)),
                ehr=ehr,
                patient_id=patient_id(hook),
                subject=str(assessment.id),
            )

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Every answer to a known EHR is counted, the failed ones too."""
        if self.log.ehr_id:
            self.log.service_id, self.log.status = self.kwargs["service_id"][:100], response.status_code
            self.log.milliseconds = (timezone.now() - self.log.received_at).total_seconds() * 1000
            self.log.save()
        return super().finalize_response(request, response, *args, **kwargs)


class FeedbackDoor(APIView):
    """POST /cds-services/{id}/feedback (CDS Hooks 2.0.1, "Feedback")."""

    authentication_classes = (Caller,)
    parser_classes = (Body,)

    def post(self, request: Request, service_id: str) -> Response:
        hear(body(request), service=registry.get(service_id), ehr=caller(request))
        return Response(status=200)


def _client(ehr: Ehr, hook: HookRequest) -> FhirServer | None:
    """A client for the hook's own token, if `fhirServer` is the one that is registered for this EHR."""
    token = hook.fhir_authorization.access_token if hook.fhir_authorization else ""
    if not hook.fhir_server or not token:
        return None
    if hook.fhir_server.rstrip("/") != ehr.fhir_base.rstrip("/"):
        raise BadInput("fhirServer is not the one that is registered for this EHR")
    return bearer_client(ehr, token)

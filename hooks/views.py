"""Three short views: parse, call one verb, render."""

from __future__ import annotations

import logging
import re
import uuid
from functools import partial
from typing import Any, cast

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cds import audit, registry
from cds.cards import Card
from cds.connect import bearer_client, dialect_of
from cds.context import PatientContext
from cds.errors import BadInput, MissingData
from cds.experiments import in_arm
from cds.facilities import places, refined, wanted
from cds.feedback import hear
from cds.fhir.client import FhirServer
from cds.fhir.elements import Resource
from cds.fhir.versions import Version
from cds.flow import decide, enabled_for
from cds.formats import body
from cds.gather import gather
from cds.imaging import with_imaging
from cds.merges import noticing
from cds.models import Assessment, Ehr, EnabledService
from cds.needs import ENCOUNTER_TOKEN, Need
from cds.ordering import with_orders
from cds.prepared import insert
from cds.present import issued, present, restricted
from cds.service import DecisionService
from cds.suppress import Viewer, spare
from cds.writeback import handed_over, to_hand_over
from hooks.models import HookCall
from hooks.requests import HookRequest, encounter_id, orders, parse, patient, patient_id, selections, user
from hooks.responses import cards_as_json, services_as_json, system_actions_as_json
from hooks.trust import Caller, caller

logger = logging.getLogger(__name__)
_BEARER = re.compile(r"[!-~]+")  # wider than RFC 6750's b64token: what a header can carry

Stage = EnabledService.Stage


class OpenCaller(Caller):
    """Discovery says nothing about anybody, so whoever does not sign may see it too, if OPEN_DISCOVERY is on."""

    def authenticate(self, request: Request) -> tuple[None, Ehr] | None:
        if settings.OPEN_DISCOVERY and "Authorization" not in request.headers:
            return None
        return super().authenticate(request)


class Discovery(APIView):
    """GET /cds-services (CDS Hooks 2.0.1, "Discovery"): to a known EHR what is on for it, to others all there is."""

    authentication_classes = (OpenCaller,)

    def get(self, request: Request) -> Response:
        ehr = cast("Ehr | None", request.auth)
        cached = {"Cache-Control": f"{'private' if ehr else 'public'}, max-age=600", "Vary": "Authorization"}
        version = ehr.hooks_version if ehr else Ehr.HooksVersion.V2_0
        fhir = dialect_of(ehr).version if ehr else Version.R4
        return Response(services_as_json(offered(ehr), version=version, fhir=fhir), headers=cached)


def offered(ehr: Ehr | None) -> dict[DecisionService, tuple[Need, ...]]:
    """What is on for it, each with what this EHR is asked for beside the service's own needs."""
    rows = {row.service_id: row for row in ehr.services.all()} if ehr else {}
    here = {service: rows.get(service.id) or EnabledService() for service in registry.all_services()}
    on = {service: row for service, row in here.items() if row.stage != Stage.OFF}
    return {service: wanted(row, service, ENCOUNTER_TOKEN) for service, row in on.items()}


class Call(APIView):
    """POST /cds-services/{id}: gather, decide, present."""

    authentication_classes = (Caller,)

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.log = HookCall(received_at=timezone.now())
        return super().initialize_request(request, *args, **kwargs)

    def post(self, request: Request, service_id: str) -> Response:
        service, self.log.ehr = registry.get(service_id), caller(request)
        hook = parse(body(request), service)
        self.viewer = _viewer(self.log.ehr, hook)
        patient_key = self.log.ehr.pseudonym(patient_id(hook))
        here = enabled_for(self.log.ehr, service, patient_key)
        self.log.hook = hook.hook
        self.log.hook_instance, self.log.prefetched = (
            hook.hook_instance.replace("\0", "")[:64],
            len(hook.prefetch or {}),
        )
        if here.stage == Stage.OFF:
            self.log.answer = "off"
            return Response({"cards": []})
        self.log.test = self.log.ehr.is_invented(patient_id(hook))
        if here.opted_out:
            return self._leave_alone(hook, service, answer="opted-out", cards=[])
        context = self._gather(service, hook, here)
        if context.replaces and self.log.ehr.opted_out_by_key(patient_key):  # a no that has just come along
            return self._leave_alone(hook, service, answer="opted-out", cards=[])
        where = places(context)
        here = refined(here, where)
        if here.stage == Stage.OFF:
            return self._leave_alone(hook, service, answer="off", cards=[])
        here = in_arm(here, service, patient_key=patient_key, user_key=self.viewer.user_key, places=where)
        shown = here.shown_to(self.viewer.user_key)
        if context.patient.restricted and not self.log.ehr.restricted_in_hooks:
            cards = [restricted()] if shown else []
            return self._leave_alone(hook, service, answer="restricted", cards=cards)
        context = self._look(service, hook, context)
        wait = self._left() if shown else 0
        assessment = decide(
            service=service, here=here, context=context, wait=wait, asker=hook.hook_instance or str(uuid.uuid4())
        )
        filed = to_hand_over(assessment, here) if shown else []
        cards = self._keep(hook, assessment, present(assessment, context) if shown else [], here=here, filed=filed)
        answer = cards_as_json(cards, service=service, ehr=self.log.ehr, assessment=assessment)
        return Response(answer | system_actions_as_json(filed))

    def _left(self) -> float:
        """Seconds to wait for the answer: what fetching has left of HOOK_WAIT, but enough for a worker at leisure."""
        return max(settings.HOOK_WAIT_SECONDS - self._used(), settings.HOOK_WAIT_SECONDS / 4)

    def _used(self) -> float:
        return (timezone.now() - self.log.received_at).total_seconds()

    def _gather(self, service: DecisionService, hook: HookRequest, here: EnabledService) -> PatientContext:
        ehr = self.log.ehr
        read = partial(
            gather,
            service,
            patient_id=patient_id(hook),
            now=ehr.now(),
            client=_client(ehr, hook),
            prefetch=hook.prefetch,
            encounter_id=encounter_id(hook),
            labels_read=ehr.labels_read,
            also=wanted(here, service, encounter_id(hook)),
            tally=self.log.prefetch,
        )
        try:
            context = noticing(ehr, patient_id(hook), read, merged=here.merged)
        except MissingData:
            self._note(hook, service, answer="missing data")
            raise
        if (drafts := orders(hook)) is not None:
            context = with_orders(context, drafts, selected=selections(hook))
        return context

    def _look(self, service: DecisionService, hook: HookRequest, context: PatientContext) -> PatientContext:
        """What the archive adds, in what fetching has left of its time."""
        left = settings.HOOK_FETCH_SECONDS - self._used()
        ehr = self.log.ehr
        return with_imaging(
            context, service, ehr=ehr, client=_client(ehr, hook), patient=patient(hook), seconds=max(left, 0)
        )

    def _keep(
        self,
        hook: HookRequest,
        assessment: Assessment,
        cards: list[Card],
        *,
        here: EnabledService,
        filed: list[Resource],
    ) -> list[Card]:
        """Which cards leave and which the user is spared, what the EHR is to file, and that somebody asked about this
        patient: all or none."""
        ehr = self.log.ehr
        actor = self.viewer.user_key or ehr.name[:64]  # order-dispatch has no user
        shown, held = spare(cards, assessment=assessment, enabled=here, viewer=self.viewer)
        entry = audit.entry(
            "hook",
            actor=actor,
            ehr=ehr,
            patient_key=assessment.patient_key,
            subject=str(assessment.id),
            service=assessment.service_id,
            hook=hook.hook,
            cards=len(shown),
        )
        self.log.answer, self.log.cards, self.log.suppressed = assessment.status, len(shown), len(held)
        told = (*issued(assessment, shown, viewer=self.viewer), *handed_over(assessment, filed, actor=actor))
        insert(*held, *told, *here.enrolled(assessment), entry, self._counted(200))
        return shown

    def _leave_alone(self, hook: HookRequest, service: DecisionService, *, answer: str, cards: list[Card]) -> Response:
        """Nothing is scored and nothing stored; that somebody asked is in the audit."""
        self.log.answer, self.log.cards = answer, len(cards)
        self._note(hook, service, answer=answer)
        return Response(cards_as_json(cards, service=service, ehr=self.log.ehr, assessment=None))

    def _note(self, hook: HookRequest, service: DecisionService, *, answer: str) -> None:
        """Somebody asked about this patient and got no assessment."""
        ehr = self.log.ehr
        actor = self.viewer.user_key or ehr.name[:64]
        audit.record("hook", actor=actor, ehr=ehr, patient_id=patient_id(hook), subject=service.id, answer=answer)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Every answer to a known EHR is counted, the failed ones too, as long as there is a database to count in."""
        if self.log.ehr_id and self.log._state.adding:
            try:
                insert(self._counted(response.status_code))
            except DatabaseError as error:
                logger.error("a hook answered with %s is not counted: %s", response.status_code, type(error).__name__)
        return super().finalize_response(request, response, *args, **kwargs)

    def _counted(self, status: int) -> HookCall:
        self.log.service_id, self.log.status = self.kwargs["service_id"][:100], status
        self.log.milliseconds = (timezone.now() - self.log.received_at).total_seconds() * 1000
        return self.log


class FeedbackDoor(APIView):
    """POST /cds-services/{id}/feedback (CDS Hooks 2.0.1, "Feedback")."""

    authentication_classes = (Caller,)

    def post(self, request: Request, service_id: str) -> Response:
        hear(body(request), service=registry.get(service_id), ehr=caller(request))
        return Response(status=200)


def _viewer(ehr: Ehr, hook: HookRequest) -> Viewer:
    """A call without a user (order-dispatch has none) is nobody's: no card of it counts as seen."""
    user_key = ehr.pseudonym(user(hook)) if user(hook) else ""
    return Viewer(user_key=user_key, hook_instance=hook.hook_instance.replace("\0", "")[:64])


def _client(ehr: Ehr, hook: HookRequest) -> FhirServer | None:
    """A client for the hook's own token, if `fhirServer` is the one that is registered for this EHR."""
    token = hook.fhir_authorization.access_token if hook.fhir_authorization else ""
    if not hook.fhir_server or not token:
        return None
    if hook.fhir_server.rstrip("/") != ehr.fhir_base.rstrip("/"):
        raise BadInput("fhirServer is not the one that is registered for this EHR")
    if not _BEARER.fullmatch(token):
        raise BadInput("fhirAuthorization.access_token is no bearer token")
    return bearer_client(ehr, token, seconds=settings.HOOK_FETCH_SECONDS)

"""Ask every service that the EHR shows to this user about the session's patient."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from cds import audit, registry
from cds.connect import bearer_client
from cds.errors import MissingData, ProtectedData
from cds.experiments import in_arm
from cds.facilities import refined
from cds.finding import Finding, NotApplicable, NotEnoughData
from cds.flow import decide, enabled
from cds.gather import gather
from cds.imaging import with_imaging
from cds.models import Assessment, Ehr, EnabledService
from cds.prepared import insert
from cds.service import DecisionService
from scoring.errors import ScoringError
from smartapp import glass
from smartapp.frames import in_frame_of
from smartapp.models import SmartSession
from smartapp.stops import Reason, Stopped

logger = logging.getLogger(__name__)

_NO_ANSWER_COMES = {Assessment.Status.FAILED, Assessment.Status.EXPIRED}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One service's assessment, or what of the record it could not get; neither: it could not be asked."""

    service: DecisionService
    assessment: Assessment | None = None
    lacking: tuple[str, ...] = ()
    protected: bool = False


def shown_services(ehr: Ehr) -> list[DecisionService]:
    """Live, or live for some."""
    return [one for one in registry.all_services() if enabled(ehr, one).shown]


def _for_user(session: SmartSession) -> list[DecisionService]:
    user_key = session.grant.actor
    return [one for one in registry.all_services() if _here(session, one).shown_to(user_key)]


def _here(session: SmartSession, service: DecisionService) -> EnabledService:
    """As a hook of the same user about the same patient would have it, at the facility in which the chart was opened."""
    grant = session.grant
    here = refined(enabled(session.ehr, service), grant.places)
    patient_key = session.ehr.pseudonym(grant.patient_id)
    return in_arm(here, service, patient_key=patient_key, user_key=grant.actor, places=grant.places)


def ask(session: SmartSession) -> list[Answer]:
    """First the service of the card that was opened, then the one that the launch's `intent` names, if there is one;
    of the others first those that ask for something, last those whose question does not arise."""
    first = (session.shown.service_id if session.shown else "", session.grant.intent)
    ordered = sorted(_for_user(session), key=lambda one: [one.id != wanted for wanted in first])
    found = [_answer(one, session) for one in ordered]
    return sorted(found, key=lambda one: ([one.service.id != wanted for wanted in first], _can_wait(one)))


def _can_wait(answer: Answer) -> int:
    """The higher, the further down the page. What is still pending, or could not be answered, stands in between."""
    match answer.assessment and answer.assessment.outcome:
        case Finding(alert=True) | NotEnoughData(alert=True):
            return 0
        case NotApplicable():
            return 2
        case _:
            return 1


def _answer(service: DecisionService, session: SmartSession) -> Answer:
    """The assessment that the card named, or one of the record as it is now."""
    shown = session.shown
    if shown and shown.service_id == service.id and shown.status not in _NO_ANSWER_COMES:
        return Answer(service=service, assessment=shown)
    try:
        return Answer(service=service, assessment=_ask_now(service, session))
    except ProtectedData:
        return Answer(service=service, protected=True)
    except MissingData as error:
        return Answer(service=service, lacking=error.keys)
    except ScoringError as error:
        logger.error("%s has no model to score with: %s", service.id, error)
        return Answer(service=service)


def _ask_now(service: DecisionService, session: SmartSession) -> Assessment:
    ehr, grant = session.ehr, session.grant
    client = bearer_client(ehr, grant.token, opens=grant.opens)
    context = gather(
        service,
        patient_id=grant.patient_id,
        now=ehr.now(),
        client=client,
        encounter_id=grant.encounter_id,
        labels_read=ehr.labels_read,
    )
    context = with_imaging(context, service, ehr=ehr, client=client, seconds=settings.HOOK_FETCH_SECONDS)
    here = _here(session, service)
    assessment = decide(
        service=service,
        here=here,
        context=context,
        wait=settings.HOOK_WAIT_SECONDS,
        asker=str(session.id),
    )
    if not context.patient.restricted:
        insert(*here.enrolled(assessment))
    return assessment


def required(session: SmartSession, assessment_id: uuid.UUID) -> Assessment:
    """An assessment that this session may see: this EHR's, this patient's, of a service that this user sees."""
    key = session.ehr.pseudonym(session.grant.patient_id)
    found = Assessment.objects.filter(pk=assessment_id, ehr=session.ehr, patient_key=key).first()
    if found is None or found.service_id not in {service.id for service in _for_user(session)}:
        raise Stopped(Reason.SESSION_OVER, ehr=session.ehr)
    glass.require_willing(session)
    if found.context.patient.restricted and not glass.broken(session):
        raise Stopped(Reason.SESSION_OVER, ehr=session.ehr)
    return found


def answer_of(assessment: Assessment) -> Answer:
    return Answer(service=registry.get(assessment.service_id), assessment=assessment)


def shown_again(assessment: Assessment, session: SmartSession) -> HttpResponse:
    """After a button: back to the page, where this answer says what came of it."""
    SmartSession.objects.filter(pk=session.pk).update(shown=assessment)
    page = reverse("page", kwargs={"session_id": session.id})
    response = HttpResponseRedirect(f"{page}#save-{assessment.service_id}")
    response.status_code = 303
    return in_frame_of(session.ehr, response)


def record_view(answer: Answer, session: SmartSession) -> None:
    """Who saw what."""
    grant = session.grant
    subject = str(answer.assessment.id) if answer.assessment else answer.service.id
    audit.record("view", actor=grant.actor, ehr=session.ehr, patient_id=grant.patient_id, subject=subject)

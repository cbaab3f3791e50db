"""Finish: a code becomes a session. Everything the EHR answers is checked before anything of it is used."""

from __future__ import annotations

import logging
import secrets

import msgspec
from django.utils import timezone

from cds import audit
from cds.configuration import configuration_of, require_registered
from cds.connect import bearer_client
from cds.errors import FhirInvalid, Refused
from cds.facilities import read_places
from cds.models import Ehr
from cds.smart_configuration import SmartConfiguration
from smartapp import cookies
from smartapp.banner import name_of
from smartapp.launch import context
from smartapp.launch.identity import Identity, identify
from smartapp.launch.tokens import TokenResponse, exchange
from smartapp.models import LAUNCH_LIVES, Grant, Launch, SmartSession, ends
from smartapp.stops import Reason, Stopped

logger = logging.getLogger(__name__)


def consume(*, state: str, secret: str) -> Launch:
    """The launch of this state and this browser: used up from here on, whatever comes next."""
    if not secret:
        raise Stopped(Reason.NO_COOKIE)
    open_now = Launch.objects.filter(
        state_hash=cookies.digest(state),
        browser_hash=cookies.digest(secret),
        used_at=None,
        created_at__gt=timezone.now() - LAUNCH_LIVES,
    )
    if not open_now.update(used_at=timezone.now()):
        raise Stopped(Reason.LAUNCH_OVER)
    return Launch.objects.select_related("ehr").get(state_hash=cookies.digest(state))


def finish(launch: Launch, *, code: str, issuer: str | None) -> tuple[SmartSession, str]:
    """The new session and the secret for its cookie. `issuer` is RFC 9207's `iss`, if the EHR sends it."""
    ehr = launch.ehr
    configuration = configuration_of(ehr)
    _require_issuer(issuer, ehr, configuration)
    try:
        answer = exchange(code, verifier=bytes(launch.verifier).decode(), ehr=ehr, configuration=configuration)
    except Refused as error:
        raise Stopped(Reason.DENIED, ehr=ehr) from error
    identity = _identified(answer, launch, configuration)
    if issuer not in {None, identity.iss}:
        raise Stopped(Reason.NOT_IDENTIFIED, ehr=ehr)
    patient_id = context.patient_of(answer)
    if patient_id is None:
        raise Stopped(Reason.NO_PATIENT, ehr=ehr)
    return open_session(ehr, answer, identity, patient_id=patient_id)


def _require_issuer(issuer: str | None, ehr: Ehr, configuration: SmartConfiguration) -> None:
    """Before the code is sent anywhere: did the EHR answer that was asked? Many do not say who they are."""
    if issuer is None and not configuration.authorization_response_iss_parameter_supported:
        return
    try:
        if issuer and configuration.issuer in {"", issuer} and require_registered(issuer, ehr, name="iss"):
            return
    except FhirInvalid:
        logger.warning("an answer from an origin that is not registered for EHR %s", ehr.pk)
    raise Stopped(Reason.NOT_IDENTIFIED, ehr=ehr)


def _identified(answer: TokenResponse, launch: Launch, configuration: SmartConfiguration) -> Identity:
    nonce = bytes(launch.nonce).decode()
    try:
        return identify(answer.id_token, ehr=launch.ehr, configuration=configuration, nonce=nonce)
    except Refused as error:
        logger.warning("a launch at EHR %s was refused: %s", launch.ehr_id, error)
        raise Stopped(Reason.NOT_IDENTIFIED, ehr=launch.ehr) from error


def open_session(ehr: Ehr, answer: TokenResponse, identity: Identity, *, patient_id: str) -> tuple[SmartSession, str]:
    """A row of its own for each launch: a new launch never takes over an old session."""
    secret = secrets.token_urlsafe(32)
    user, client = context.within_base(identity.fhir_user, ehr), bearer_client(ehr, answer.access_token)
    encounter_id = context.encounter_of(answer)
    grant = Grant(
        token=answer.access_token,
        scopes=answer.scopes,
        patient_id=patient_id,
        actor=ehr.pseudonym(user or identity.sub),
        user=user,
        user_name=name_of(user, client=client),
        encounter_id=encounter_id,
        need_patient_banner=answer.need_patient_banner,
        refresh_token=answer.renewable_with if ehr.refresh else None,
        intent=(answer.intent or "")[:100],
        also_open=context.also_open(answer),
        places=read_places(ehr, client, patient_id=patient_id, encounter_id=encounter_id),
    )
    session = SmartSession.objects.create(
        ehr=ehr,
        secret_hash=cookies.digest(secret),
        encrypted_grant=msgspec.json.encode(grant),
        shown=context.named_by_card(answer, ehr, patient_id),
        expires_at=ends(answer.expires_in, now=timezone.now(), renewable=grant.refresh_token is not None),
    )
    tenant = (answer.tenant or "").replace("\0", "")[:100]  # opaque, and the EHR's own word for its facility
    audit.record("launch", actor=grant.actor, ehr=ehr, patient_id=patient_id, subject=str(session.id), tenant=tenant)
    return session, secret

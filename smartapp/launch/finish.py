"""Finish: a code becomes a session. Everything the EHR answers is checked before anything of it is used."""

from __future__ import annotations

import logging
import re
import secrets

import msgspec
from authlib.integrations.base_client import OAuthError
from django.utils import timezone

from cds import audit
from cds.connect import bearer_client
from cds.errors import Refused
from cds.models import Assessment, Ehr
from smartapp import cookies
from smartapp.banner import name_of
from smartapp.launch.begin import oauth_session
from smartapp.launch.configuration import SmartConfiguration, configuration_of
from smartapp.launch.identity import Identity, identify
from smartapp.models import LAUNCH_LIVES, Grant, Launch, SmartSession, ends
from smartapp.stops import Reason, Stopped

logger = logging.getLogger(__name__)

_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_PERSON = re.compile(r"(Practitioner|PractitionerRole|Person|RelatedPerson|Patient)/[A-Za-z0-9\-.]{1,64}")
_OUR_APP_CONTEXT = re.compile(r"assessment=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_SHORT_SECONDS = 300  # a token response without `expires_in`


class TokenResponse(msgspec.Struct, rename={"app_context": "appContext"}):
    """SMART App Launch 2.2, "Obtain access token"; unknown members are ignored."""

    access_token: str
    token_type: str
    scope: str
    id_token: str
    expires_in: int = _SHORT_SECONDS
    patient: str | None = None
    encounter: str | None = None
    need_patient_banner: bool = True
    app_context: str | None = None


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
    if issuer not in {None, configuration.issuer}:
        raise Stopped(Reason.NOT_IDENTIFIED, ehr=ehr)
    answer = exchange(launch, code=code, configuration=configuration)
    try:
        nonce = bytes(launch.nonce).decode()
        identity = identify(answer.id_token, ehr=ehr, configuration=configuration, nonce=nonce)
    except Refused as error:
        logger.warning("a launch at EHR %s was refused: %s", ehr.pk, error)
        raise Stopped(Reason.NOT_IDENTIFIED, ehr=ehr) from error
    if not answer.patient or not _FHIR_ID.fullmatch(answer.patient):
        raise Stopped(Reason.NO_PATIENT, ehr=ehr)
    return open_session(ehr, answer, identity, patient_id=answer.patient)


def exchange(launch: Launch, *, code: str, configuration: SmartConfiguration) -> TokenResponse:
    """The code for a token, at the end point of the EHR that this launch began at."""
    try:
        answer = oauth_session(launch.ehr).fetch_token(
            configuration.token_endpoint, code=code, code_verifier=bytes(launch.verifier).decode()
        )
        found = msgspec.convert(dict(answer), type=TokenResponse, strict=False)
    except (OAuthError, ValueError) as error:
        logger.warning("EHR %s gave no token: %s", launch.ehr_id, type(error).__name__)
        raise Stopped(Reason.DENIED, ehr=launch.ehr) from error
    if found.token_type.lower() != "bearer":
        raise Stopped(Reason.UNFIT_EHR, ehr=launch.ehr)
    return found


def open_session(ehr: Ehr, answer: TokenResponse, identity: Identity, *, patient_id: str) -> tuple[SmartSession, str]:
    """A row of its own for each launch: a new launch never takes over an old session."""
    secret = secrets.token_urlsafe(32)
    user = _within_base(identity.fhir_user, ehr)
    grant = Grant(
        token=answer.access_token,
        scopes=tuple(answer.scope.split()),
        patient_id=patient_id,
        actor=ehr.pseudonym(user or identity.sub),
        user=user,
        user_name=name_of(user, client=bearer_client(ehr, answer.access_token)),
        encounter_id=answer.encounter if answer.encounter and _FHIR_ID.fullmatch(answer.encounter) else None,
        need_patient_banner=answer.need_patient_banner,
    )
    session = SmartSession.objects.create(
        ehr=ehr,
        secret_hash=cookies.digest(secret),
        encrypted_grant=msgspec.json.encode(grant),
        shown=_named_by_card(answer.app_context, ehr, patient_id),
        expires_at=ends(answer.expires_in, now=timezone.now()),
    )
    audit.record("launch", actor=grant.actor, ehr=ehr, patient_id=patient_id, subject=str(session.id))
    return session, secret


def _named_by_card(app_context: str | None, ehr: Ehr, patient_id: str) -> Assessment | None:
    """The assessment behind the card's "See why", if it is this EHR's and this patient's."""
    named = _OUR_APP_CONTEXT.fullmatch(app_context or "")
    if named is None:
        return None
    return Assessment.objects.filter(pk=named[1], ehr=ehr, patient_key=ehr.pseudonym(patient_id)).first()


def _within_base(fhir_user: str, ehr: Ehr) -> str:
    """Type/id, as a hook's `userId` says it too; "" for a person of another server or no reference at all."""
    reference = fhir_user.removeprefix(f"{ehr.fhir_base.rstrip('/')}/")
    return reference if _PERSON.fullmatch(reference) else ""

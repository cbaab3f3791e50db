"""The CDS Hooks client: asks the app about a patient, and tells it what became of its cards (CDS Hooks 2.0.1)."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import requests

from smartapp.demo_ehr import addresses, tokens
from smartapp.demo_ehr.context import CLINICIAN, OpenChart, launch_token, open_chart
from smartapp.demo_ehr.grants import access_token, grant_of
from smartapp.demo_ehr.outcomes import Resource
from smartapp.demo_ehr.prefetch import resolve_prefetch

__all__ = ["bearer", "call_hook", "discover", "hook_request", "launch_token", "send_feedback", "services", "sign"]

HOOK = "patient-view"
ORDER_SELECT, ORDER_SIGN = "order-select", "order-sign"
ORDER_HOOKS = (ORDER_SELECT, ORDER_SIGN)
HOOK_SCOPE = "patient/*.rs"
BEARER_SECONDS = 60
JWT_SECONDS = 300
TIMEOUT = (2.0, 10.0)  # seconds to connect, to answer
Service = dict[str, Any]


def sign(aud: str, *, header: Mapping[str, str | None] | None = None, **overrides: Any) -> str:
    """The JWT that vouches for a call to `aud`; an override of None leaves the claim or the header out."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": addresses.hospital(),
        "aud": aud,
        "iat": now,
        "exp": now + JWT_SECONDS,
        "jti": secrets.token_urlsafe(16),
        **overrides,
    }
    return tokens.sign_es384(present(claims), **present({"jku": addresses.jwks_url(), **(header or {})}))


def present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def bearer(patient_id: str | None, scope: str = HOOK_SCOPE, *, seconds: int = BEARER_SECONDS) -> str:
    """An access token for our FHIR server, limited to the patient if there is one."""
    user = f"{addresses.fhir_base()}/Practitioner/{CLINICIAN}"
    return access_token(scope, seconds=seconds, patient=patient_id, user=user)


def endpoint(service_id: str) -> str:
    return addresses.app(f"/cds-services/{service_id}")


def discover() -> requests.Response:
    url = addresses.app("/cds-services")
    return requests.get(url, headers={"Authorization": f"Bearer {sign(url)}"}, timeout=TIMEOUT)


def services(hook: str = HOOK) -> list[Service]:
    """What the app offers on a hook; raises for an answer that is none."""
    answer = discover()
    answer.raise_for_status()
    return [service for service in answer.json()["services"] if service["hook"] == hook]


def context_of(chart: OpenChart, hook: str = HOOK, orders: Sequence[Resource] = ()) -> dict[str, Any]:
    """What the hook's context holds: who, whose chart, and the unsigned orders; all of them were selected just now."""
    context: dict[str, Any] = {"userId": f"Practitioner/{chart.user}", "patientId": chart.patient}
    if chart.encounter:
        context["encounterId"] = chart.encounter
    if hook in ORDER_HOOKS:
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": entries(orders)}
    if hook == ORDER_SELECT:
        context["selections"] = [f"{order['resourceType']}/{order['id']}" for order in orders]
    return context


def entries(resources: Sequence[Resource]) -> list[dict[str, Resource]]:
    return [{"resource": resource} for resource in resources]


def hook_request(
    patient_id: str,
    service: Service,
    *,
    prefetch: bool | Mapping[str, Any] = True,
    authorized: bool = True,
    orders: Sequence[Resource] = (),
) -> dict[str, Any]:
    """The body of a call; a mapping given as `prefetch` is sent as it is."""
    context, token = context_of(open_chart(patient_id), service["hook"], orders), bearer(patient_id)
    body: dict[str, Any] = {"hook": service["hook"], "hookInstance": str(uuid.uuid4()), "context": context}
    if authorized:
        body |= {"fhirServer": addresses.fhir_base(), "fhirAuthorization": authorization(token, patient_id)}
    if isinstance(prefetch, Mapping):
        body["prefetch"] = dict(prefetch)
    elif prefetch:
        body["prefetch"] = resolve_prefetch(service.get("prefetch", {}), context, grant=grant_of(token))
    return body


def authorization(token: str, patient_id: str) -> dict[str, Any]:
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": BEARER_SECONDS,
        "scope": HOOK_SCOPE,
        "subject": addresses.CLIENT_ID,
        "patient": patient_id,
    }


def call_hook(
    patient_id: str,
    service_id: str | None = None,
    *,
    prefetch: bool | Mapping[str, Any] = True,
    authorized: bool = True,
    jwt: str | None = None,
    hook: str = HOOK,
    orders: Sequence[Resource] = (),
) -> requests.Response:
    """Fires a hook at one service, the first one offered if none is named."""
    service = next(one for one in services(hook) if service_id in {None, one["id"]})
    body = hook_request(patient_id, service, prefetch=prefetch, authorized=authorized, orders=orders)
    return post(endpoint(service["id"]), body, jwt=jwt)


def post(url: str, body: Mapping[str, Any], *, jwt: str | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {jwt or sign(url)}"}
    return requests.post(url, json=body, headers=headers, timeout=TIMEOUT, allow_redirects=False)


def send_feedback(service_id: str, feedback: Sequence[Mapping[str, Any]]) -> requests.Response:
    """What became of the cards of a service; the time is ours."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    stamped = [{**one, "outcomeTimestamp": now} for one in feedback]
    return post(f"{endpoint(service_id)}/feedback", {"feedback": stamped})

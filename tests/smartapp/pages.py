"""What tests read from the clinician's pages, and what they change behind them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cds.models import Assessment
from smartapp.demo_ehr.store import chart_store
from smartapp.models import SmartSession


def text(response: Any) -> str:
    return str(response.content.decode())


def only_assessment() -> Assessment:
    """The one of the service with a model; the page asks every service."""
    return Assessment.objects.get(service_id="diabetes-risk")


def change_grant(**changed: Any) -> None:
    session = SmartSession.objects.get()
    grant = msgspec.structs.replace(session.grant, **changed)
    SmartSession.objects.update(encrypted_grant=msgspec.json.encode(grant))


def form_of(page: str, deed: str = "save") -> tuple[str, dict[str, str]]:
    """The address that the button posts to, and the tokens that its form carries."""
    (action,) = re.findall(rf'<form method="post" action="([^"]+/{deed}/[^"]+)"', page)
    form = page.partition(action)[2].partition("</form>")[0]
    return action, dict(re.findall(r'name="(token|seen)" value="([0-9a-f]{64})"', form))


def charted(kind: str) -> list[dict[str, Any]]:
    return [one for one in chart_store().all(kind) if "bedside.dev" in str(one.get("identifier"))]

"""Whose chart is open, before whom, in which encounter: what a launch carries (SMART, "Launch context")."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from smartapp.demo_ehr import addresses, tokens
from smartapp.demo_ehr.search import select
from smartapp.demo_ehr.store import chart_store

CLINICIAN = "dr-okafor"  # who has opened the demo chart
LAUNCH_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class OpenChart:
    """The clinician's situation, passed on signed from launch to code to token."""

    patient: str
    user: str = CLINICIAN
    encounter: str | None = None
    app_context: str | None = None

    @property
    def fhir_user(self) -> str:
        return f"{addresses.fhir_base()}/Practitioner/{self.user}"

    def as_claims(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def opened(claims: dict[str, Any]) -> OpenChart:
    """The situation that a token of ours carries."""
    names = ("patient", "user", "encounter", "app_context")
    return OpenChart(**{name: claims[name] for name in names if name in claims})


def encounter_of(patient_id: str) -> str | None:
    """The encounter under way."""
    criteria = (("patient", patient_id), ("status", "in-progress"), ("_sort", "-date"))
    found = select(chart_store().all("Encounter"), kind="Encounter", criteria=criteria)
    return str(found[0]["id"]) if found else None


def open_chart(patient_id: str, *, user: str = CLINICIAN, app_context: str | None = None) -> OpenChart:
    return OpenChart(patient=patient_id, user=user, encounter=encounter_of(patient_id), app_context=app_context)


def launch_token(patient_id: str, app_context: str | None = None) -> str:
    """The opaque `launch` of an EHR launch."""
    claims = open_chart(patient_id, app_context=app_context).as_claims()
    return tokens.issue("launch", seconds=LAUNCH_SECONDS, **claims)

"""Whose chart a resource belongs to (R4 CompartmentDefinition "patient", the part this hospital needs)."""

from __future__ import annotations

from smartapp.demo_ehr.outcomes import FhirError, Resource
from smartapp.demo_ehr.search import values_at
from smartapp.demo_ehr.store import Store

SHARED = frozenset({"Device", "Organization", "Practitioner"})  # belong to the hospital, not to a patient


def belongs_to(resource: Resource, patient_id: str, *, store: Store) -> bool:
    """May somebody limited to this patient see the resource? A document without a subject is the hospital's, too."""
    shared = SHARED if "subject" in resource else SHARED | {"DocumentReference"}
    return resource["resourceType"] in shared or patient_id in patients_of(resource, store=store)


def patients_of(resource: Resource, *, store: Store) -> set[str]:
    """The ids of the patients it is about; a Provenance is about those of its targets."""
    if resource["resourceType"] == "Patient":
        return {resource["id"]}
    found: set[str] = set()
    for path in ("subject", "patient", "target", "entity.what"):
        for reference in values_at(resource, f"{path}.reference"):
            kind, _, resource_id = "/".join(reference.split("/_history/")[0].split("/")[-2:]).partition("/")
            if kind == "Patient":
                found.add(resource_id)
            elif path in {"target", "entity.what"} and store.has(kind, resource_id):
                found |= patients_of(store.read(kind, resource_id), store=store)
    return found


def require_belonging(resource: Resource, patient_id: str | None, *, store: Store) -> None:
    """403 when a token limited to one patient reaches for another's chart."""
    if patient_id is not None and not belongs_to(resource, patient_id, store=store):
        raise FhirError(403, "forbidden", "the token is limited to another patient")

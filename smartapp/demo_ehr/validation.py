"""Whether a resource may enter the chart: its structure, and that what it refers to exists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from smartapp.demo_ehr import addresses
from smartapp.demo_ehr.outcomes import FhirError, Resource
from smartapp.demo_ehr.parameters import PARAMETERS
from smartapp.demo_ehr.store import Store


def require_known(kind: str) -> None:
    if kind not in PARAMETERS:
        raise FhirError(404, "not-supported", "this server does not keep that type")


def require_valid(resource: Resource) -> None:
    """422 with one issue for each broken rule; R4B is `fhir.resources`' nearest to R4."""
    from fhir.resources.R4B import get_fhir_model_class  # 0.3 s, so only once something is written

    require_known(resource["resourceType"])
    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except ValidationError as error:
        # Where and which rule, never the value: this text ends up in logs.
        rules = [f"{'.'.join(str(step) for step in issue['loc'])}: {issue['msg']}" for issue in error.errors()]
        raise FhirError(422, "structure", *rules) from error


def require_references(resource: Resource, *, store: Store) -> None:
    """422 when a reference leads nowhere on this server; contained and foreign ones are not ours to check."""
    dangling = [reference for reference in references_in(resource) if leads_nowhere(reference, store=store)]
    if dangling:
        raise FhirError(422, "not-found", *(f"nothing here is {reference}" for reference in dangling))


def leads_nowhere(reference: str, *, store: Store) -> bool:
    reference = reference.removeprefix(f"{addresses.fhir_base()}/").split("/_history/")[0]
    if reference.startswith("urn:uuid:"):
        return True
    if reference.startswith("#") or "://" in reference:
        return False
    kind, _, resource_id = reference.partition("/")
    return not store.has(kind, resource_id)


def references_in(value: Any) -> Iterator[str]:
    """Every literal reference in a resource, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for inner in value.values():
            yield from references_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references_in(inner)

"""An answer on its way from the process that found it to the one that keeps it."""

from __future__ import annotations

from typing import Any

import msgspec

from cds.context import PatientContext
from cds.finding import from_json
from cds.merges import Links
from cds.models import PopulationResult
from cds.population.fold import Answer, Asking


class Told(msgspec.Struct, frozen=True, kw_only=True, tag="answer"):
    """The result's fields; context and outcome, as JSON, where something may follow: a case, or a resource.

    `links`: the fields of Links.
    """

    fields: dict[str, Any]
    patient_id: str
    context: bytes | None = None
    outcome: bytes | None = None
    links: tuple[str, str | None, tuple[str, ...]] | None = None


def told(answer: Answer, asking: Asking) -> Told:
    result = answer.result
    names = (field.attname for field in result._meta.concrete_fields if field.attname not in {"id", "run_id"})
    found = Told(
        fields={name: getattr(result, name) for name in names}, patient_id=answer.patient_id, links=answer.links
    )
    if answer.context is None or answer.outcome is None or not (asking.run.ehr or asking.run.client):
        return found
    context, outcome = answer.context.as_json(), msgspec.json.encode(answer.outcome)
    return msgspec.structs.replace(found, context=context, outcome=outcome)


def heard(found: Told, asking: Asking) -> Answer:
    fields = {
        field.attname: field.to_python(found.fields[field.attname])
        for field in PopulationResult._meta.concrete_fields
        if field.attname in found.fields
    }
    return Answer(
        result=PopulationResult(run=asking.run, **fields),
        patient_id=found.patient_id,
        context=PatientContext.from_json(found.context) if found.context else None,
        outcome=from_json(found.outcome) if found.outcome else None,
        links=Links(*found.links) if found.links else None,
    )

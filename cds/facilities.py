"""Where a question is asked: which facility of the EHR it is, and how the service runs there.

Who cannot be placed (no encounter was named, or it cannot be read) is in the EHR as a whole: docs/decisions/017-facilities.md.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from copy import copy
from typing import Any

from django.db.models import IntegerField, Q

from cds.context import PatientContext
from cds.errors import FhirError
from cds.facts import Stay
from cds.fhir.client import FhirServer
from cds.fhir.read import Reader
from cds.models import AtFacility, Ehr, EnabledService
from cds.needs import Need
from cds.prepared import Question
from cds.service import DecisionService

logger = logging.getLogger(__name__)

_facilities = Question(lambda here: AtFacility.objects.filter(here=here), here=IntegerField())


def differ(ehr: Ehr) -> bool:
    """Is there a service that runs otherwise in some facility or department?"""
    return ehr.services.filter(Q(by_facility=True) | Q(drawn_by_place=True)).exists()


def refined(here: EnabledService, places: Iterable[str]) -> EnabledService:
    """How the service runs at these places, the narrowest first: a switch of any of them counts, else the first threshold.

    `here` itself where no facility differs; otherwise a copy, which is for reading only.
    """
    if not here.by_facility:
        return here
    rows = {row.reference: row for row in _facilities(here=here.pk)}
    found = [rows[place] for place in places if place in rows]
    there = copy(here)
    if any(row.off for row in found):
        there.stage = EnabledService.Stage.OFF
    there.threshold = next((row.threshold for row in found if row.threshold is not None), here.threshold)
    return there


def wanted(here: EnabledService, service: DecisionService, encounter_id: str | None) -> tuple[Need, ...]:
    """What has to be read to know the place; nothing where none differs, or where the encounters are read anyway."""
    if not here.asks_where or not encounter_id or any(need.resource == "Encounter" for need in service.needs):
        return ()
    return (Need.encounter(encounter_id),)


def places(context: PatientContext) -> tuple[str, ...]:
    """Of the encounter that the EHR named."""
    return _places(context.stays, context.encounter_id)


def read_places(ehr: Ehr, client: FhirServer, *, patient_id: str, encounter_id: str | None) -> tuple[str, ...]:
    """The same, for who has read nothing yet; () where no place of this EHR differs."""
    if not encounter_id or not differ(ehr):
        return ()
    need = client.searches.asks(Need.encounter(encounter_id))
    try:
        raw = client.get(need.search(patient_id))
    except FhirError as error:
        logger.warning("EHR %s does not say where an encounter is: %s", ehr.pk, type(error).__name__)
        return ()
    return _places(Reader(patient_id=patient_id, zone=ehr.zone).read(need, raw).coded, encounter_id)


def _places(found: Iterable[Any], encounter_id: str | None) -> tuple[str, ...]:
    named = f"Encounter/{encounter_id}"
    return next((fact.places for fact in found if isinstance(fact, Stay) and fact.source == named), ())

"""What came with the token, read with care: the launch context (SMART App Launch 2.2, "Launch context")."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cds.facts import FHIR_ID
from cds.models import Assessment, Ehr
from smartapp.launch.tokens import TokenResponse

_PERSON = re.compile(rf"(Practitioner|PractitionerRole|Person|RelatedPerson|Patient)/{FHIR_ID}")
_REFERENCE = re.compile(rf"(?!Patient/|Encounter/)[A-Z][A-Za-z]{{1,63}}/{FHIR_ID}")
_OUR_APP_CONTEXT = re.compile(r"assessment=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_MOST = 20  # of what is open in the chart beside the patient


class _Item(msgspec.Struct):
    reference: str
    role: str = "launch"


def patient_of(answer: TokenResponse) -> str | None:
    return _id(answer.patient)


def encounter_of(answer: TokenResponse) -> str | None:
    return _id(answer.encounter)


def also_open(answer: TokenResponse) -> tuple[str, ...]:
    """`fhirContext`: what the chart has open beside patient and encounter. Older servers send plain strings."""
    given = answer.fhir_context if isinstance(answer.fhir_context, list) else []
    items = [item for item in map(_item, given) if item and item.role == "launch"]
    return tuple(item.reference for item in items if _REFERENCE.fullmatch(item.reference))[:_MOST]


def named_by_card(answer: TokenResponse, ehr: Ehr, patient_id: str) -> Assessment | None:
    """The assessment behind the card's "See why", if it is this EHR's and this patient's."""
    text = answer.app_context if isinstance(answer.app_context, str) else ""
    named = _OUR_APP_CONTEXT.fullmatch(text)
    if named is None:
        return None
    whole = Assessment.objects.filter(
        ehr=ehr, snapshot__isnull=False
    )  # its facts may have gone with their retention time
    return whole.filter(pk=named[1], patient_key=ehr.pseudonym(patient_id)).first()


def within_base(fhir_user: str, ehr: Ehr) -> str:
    """Type/id, as a hook's `userId` says it too; "" for a person of another server or no reference at all."""
    reference = fhir_user.removeprefix(f"{ehr.fhir_base.rstrip('/')}/")
    return reference if _PERSON.fullmatch(reference) else ""


def _id(given: str | None) -> str | None:
    return given if given and re.fullmatch(FHIR_ID, given) else None


def _item(given: Any) -> _Item | None:
    try:
        return msgspec.convert({"reference": given} if isinstance(given, str) else given, type=_Item)
    except msgspec.ValidationError:
        return None  # a canonical or an identifier: nothing that we read by

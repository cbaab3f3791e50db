"""What says that artificial intelligence was at work, which one, on what data and who confirmed it.

"AI Transparency on FHIR" (hl7.fhir.uv.aitransparency, build of 2026 for R4): the label, the algorithm as a Device, its
model card as a DocumentReference, and the Provenance that ties them together. docs/conformance.md lists what of it is
filled and what is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from cds.codes import OBSERVATION_VALUE, Code
from cds.fhir.elements import Resource, attachment, coding, concept, instant, narrative, references, without_empty
from cds.records import Algorithm, Charted, ObservationRecord

IDENTIFIERS = "https://bedside.dev/fhir/identifier"
ALGORITHM = f"{IDENTIFIERS}/algorithm"
MODEL_CARD = f"{IDENTIFIERS}/model-card"
GUIDE = "http://hl7.org/fhir/uv/aitransparency"
INSIDE = "#algorithm"
AI_ASSERTED = coding(Code(OBSERVATION_VALUE, "AIAST"), "Artificial Intelligence asserted")

_PROFILE = f"{GUIDE}/StructureDefinition"
_TYPES = f"{GUIDE}/CodeSystem/AIdeviceTypeCS"
_INPUTS = f"{GUIDE}/CodeSystem/AIinputsCS"
PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_AI = concept(Code(_TYPES, "Artificial-Intelligence"), "All kinds of Artificial Intelligence")
# By model, behaviour, scenario and data. Everything on our shelf is a gradient-boosted tree on coded and measured data.
_KINDS = {
    "Machine-Learning-Models": "Machine Learning Models",
    "Deterministic-AI": "Deterministic AI",
    "Intelligent-Diagnosis-and-Treatment": "Intelligent Diagnosis and Treatment",
    "AI-for-Structured-Clinical-Data": "Structured Clinical Data",
}
_PERSON = re.compile(r"(^|/)(Practitioner|PractitionerRole|RelatedPerson|Patient)/[A-Za-z0-9.-]{1,64}$")


def device(algorithm: Algorithm, *, card: str = "") -> Resource:
    """The algorithm in one version: who the author is, and what the performer. `card`: a reference to its model card."""
    kinds = [(f"{_PROFILE}/aitransparency.AIKind", code, display) for code, display in _KINDS.items()]
    extensions = [{"url": url, "valueCodeableConcept": concept(Code(_TYPES, code), text)} for url, code, text in kinds]
    if card:
        url = f"{_PROFILE}/aitransparency.modelCardDescription"
        extensions.append({"url": url, "valueReference": {"reference": card}})
    return {
        "resourceType": "Device",
        "meta": {"profile": [f"{_PROFILE}/AI-Device"]},
        "text": narrative(f"{titled(algorithm)}, an algorithm of Bedside"),
        "extension": extensions,
        "identifier": [_identifier(ALGORITHM, algorithm)],
        "status": "active",
        "manufacturer": "Bedside",
        "deviceName": [{"name": algorithm.title, "type": "model-name"}],
        "modelNumber": algorithm.name,
        "version": [{"value": algorithm.version}],
        "type": _AI,
    }


def device_inside(algorithm: Algorithm, *, card: str = "") -> Resource:
    """The same within what it made, which names it as INSIDE; without a narrative (STU3 dom-1)."""
    made = device(algorithm, card=card)
    return {name: value for name, value in made.items() if name != "text"} | {"id": INSIDE.removeprefix("#")}


def model_card(algorithm: Algorithm, *, at: datetime) -> Resource:
    """As it is on the shelf with this version, in Markdown."""
    title = f"Model card of {titled(algorithm)}"
    return {
        "resourceType": "DocumentReference",
        "meta": {"profile": [f"{_PROFILE}/AI-ModelCard"]},
        "text": narrative(title),
        "identifier": [_identifier(MODEL_CARD, algorithm)],
        "status": "current",
        "type": concept(Code(_INPUTS, "AIModelCard"), "AI Model-Card"),
        "category": [concept(Code(_INPUTS, "AIModelCardMarkdownFormat"), "Markdown Format")],
        "date": instant(at),
        "description": title,
        "content": [
            {"attachment": attachment(algorithm.card.encode(), content_type="text/markdown", title=title, created=at)}
        ],
    }


class Signature(NamedTuple):
    """Who vouches for a result: the algorithm, by the references to its Device and model card, and a clinician."""

    device: str
    fhir_user: str
    confirmed_at: datetime
    card: str = ""


def provenance(records: Iterable[Charted], *, targets: Iterable[str], signature: Signature) -> Resource:
    """The algorithm wrote it, from these data, described by this card; the clinician, if one is known, confirmed it."""
    records, (device, fhir_user, confirmed_at, card) = tuple(records), signature
    agents = [{"type": concept(Code(PARTICIPANT, "author"), "Author"), "role": [_AI], "who": {"reference": device}}]
    if is_person(fhir_user):
        agents.append({"type": concept(Code(PARTICIPANT, "verifier"), "Verifier"), "who": {"reference": fhir_user}})
    used = [{"role": "source", "what": source} for source in references(sources_of(records))]
    found = {
        "resourceType": "Provenance",
        "meta": {"profile": [f"{_PROFILE}/AI-Provenance"]},
        "text": narrative(f"Computed by {titled(records[0].algorithm)}, an artificial intelligence"),
        "target": references(targets),
        "occurredDateTime": instant(max(record.at for record in records)),
        "recorded": instant(confirmed_at),
        "reason": [{"coding": [AI_ASSERTED]}],
        "agent": agents,
        "entity": [*used, *({"role": "derivation", "what": one} for one in references([card] if card else []))],
    }
    return without_empty(found)


def status_of(fhir_user: str) -> str:
    """Final once somebody is named who confirmed it (R4 observation-status: preliminary results are not yet verified)."""
    return "final" if is_person(fhir_user) else "preliminary"


def is_person(fhir_user: str) -> bool:
    """A reference to somebody, as `fhirUser` should be."""
    return bool(_PERSON.search(fhir_user))


def sources_of(records: Iterable[Charted]) -> list[str]:
    """What in the chart the records rest on, each once."""
    found = [record.derived_from if isinstance(record, ObservationRecord) else record.basis for record in records]
    return list(dict.fromkeys(source for sources in found for source in sources))


def titled(algorithm: Algorithm) -> str:
    return f"{algorithm.title} {algorithm.version}"


def _identifier(system: str, algorithm: Algorithm) -> Resource:
    return {"system": system, "value": f"{algorithm.name}/{algorithm.version}"}

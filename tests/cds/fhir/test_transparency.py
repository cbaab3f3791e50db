"""The label, the algorithm, its model card and the Provenance, as the AI Transparency guide has them."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from cds.fhir.transparency import Signature, device, model_card, provenance, sources_of, status_of
from tests.cds.saved import ALGORITHM, AT, CARD, OBSERVATION, RISK

GUIDE = "http://hl7.org/fhir/uv/aitransparency"
AI = {"system": f"{GUIDE}/CodeSystem/AIdeviceTypeCS", "code": "Artificial-Intelligence"}


def signed(**more: str) -> dict[str, Any]:
    signature = Signature(**{"device": "Device/d", "fhir_user": "Practitioner/p", "confirmed_at": AT, **more})  # type: ignore[arg-type]
    return provenance([OBSERVATION, RISK], targets=["RiskAssessment/r"], signature=signature)


def is_ai(concept: dict[str, Any]) -> bool:
    return bool(AI.items() <= concept["coding"][0].items())


def test_the_device_is_an_artificial_intelligence_of_known_kinds_with_its_card() -> None:
    found = device(ALGORITHM, card="DocumentReference/m")
    assert found["meta"]["profile"] == [f"{GUIDE}/StructureDefinition/AI-Device"]
    assert is_ai(found["type"])
    values = [(one["url"].rpartition(".")[2], one) for one in found["extension"]]
    kinds = [one["valueCodeableConcept"]["coding"][0]["code"] for name, one in values if name == "AIKind"]
    assert {"Machine-Learning-Models", "Deterministic-AI", "AI-for-Structured-Clinical-Data"} <= set(kinds)
    (card,) = [one["valueReference"] for name, one in values if name == "modelCardDescription"]
    assert card == {"reference": "DocumentReference/m"}


def test_the_device_names_model_and_version() -> None:
    found = device(ALGORITHM)
    assert (found["modelNumber"], found["version"][0]["value"]) == (ALGORITHM.name, ALGORITHM.version)
    assert "modelCardDescription" not in str(found)


def test_the_model_card_is_markdown_inside_a_document() -> None:
    found = model_card(ALGORITHM, at=AT)
    assert found["meta"]["profile"] == [f"{GUIDE}/StructureDefinition/AI-ModelCard"]
    assert found["type"]["coding"] == [
        {"system": f"{GUIDE}/CodeSystem/AIinputsCS", "code": "AIModelCard", "display": "AI Model-Card"}
    ]
    assert [one["coding"][0]["code"] for one in found["category"]] == ["AIModelCardMarkdownFormat"]
    attached = found["content"][0]["attachment"]
    assert attached["contentType"] == "text/markdown"
    assert base64.b64decode(attached["data"]).decode() == CARD


def test_the_algorithm_is_the_author_in_the_role_of_an_artificial_intelligence() -> None:
    found = signed()
    author, verifier = found["agent"]
    assert author["type"]["coding"][0]["code"] == "author"
    assert is_ai(author["role"][0])
    assert verifier["type"]["coding"][0]["code"] == "verifier"
    assert "role" not in verifier
    assert [reason["coding"][0]["code"] for reason in found["reason"]] == ["AIAST"]


def test_data_are_sources_and_the_card_is_what_the_result_derives_from() -> None:
    found = signed(card="DocumentReference/m")
    roles = {entity["what"]["reference"]: entity["role"] for entity in found["entity"]}
    assert roles == {"Observation/ada-glucose": "source", "DocumentReference/m": "derivation"}


def test_every_source_is_named_once() -> None:
    more = msgspec.structs.replace(RISK, basis=("Observation/ada-glucose", "Condition/c"))
    assert sources_of([OBSERVATION, more]) == ["Observation/ada-glucose", "Condition/c"]


def test_a_result_is_final_once_somebody_is_named_who_confirmed_it() -> None:
    assert status_of("Practitioner/p") == "final"
    assert status_of("") == status_of("admin") == "preliminary"

"""A version's model card for machines: CHAI's and Mitchell's fields, the 31 source attributes, and all facts of the run.

Mitchell et al., Model Cards for Model Reporting, FAT* 2019; CHAI's in cds/chai.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.apps import apps

from cds import registry
from cds.chai import applied_model_card, model_type
from cds.service import DecisionService
from cds.source_attributes import PARAGRAPH, Answer, answers
from scoring.headline import headline, people
from scoring.models import ModelVersion


def service_of(name: str) -> DecisionService | None:
    """The service that asks this model; its folder holds the words."""
    return next((service for service in registry.all_services() if service.model == name), None)


def folder_of(service: DecisionService) -> Path:
    config = apps.get_containing_app_config(type(service).__module__)
    if config is None:
        raise LookupError(f"{service.id} belongs to no installed app")
    return Path(config.path)


def path_of(service: DecisionService) -> Path:
    return folder_of(service) / "MODEL_CARD.md"


def is_shipped(service: DecisionService, version: ModelVersion) -> bool:
    """Is it the very version that the folder's words and MODEL_CARD.md are about?"""
    return _shipped(folder_of(service) / "model" / f"{service.model}.json") == (version.version, version.sha256)


@lru_cache
def _shipped(path: Path) -> tuple[str, str]:
    facts = json.loads(path.read_text(encoding="utf-8"))
    return facts["version"], facts["sha256"]


def attributes(service: DecisionService, version: ModelVersion) -> list[Answer]:
    words, shipped = service.source_attributes, is_shipped(service, version)
    return answers(version.facts, words=words, shipped=shipped)


def document(service: DecisionService, version: ModelVersion) -> dict[str, Any]:
    """JSON. Every field is there; what nobody can say reads "Not available: why"."""
    found = attributes(service, version)
    said = {answer.attribute.key: answer.text or f"Not available: {answer.why_not}." for answer in found}
    said = dict(service.source_attributes) | said
    return {
        "name": version.name,
        "version": version.version,
        "status": version.status,
        "sha256": version.sha256,
        "predicts": version.facts["label"],
        "service": {"id": service.id, "title": service.title, "version": service.version},
        "chai_applied_model_card": applied_model_card(service, version, said),
        "mitchell_model_card": _mitchell(version, said),
        "source_attributes": {"regulation": PARAGRAPH, "attributes": [_attribute(answer) for answer in found]},
        "facts": version.facts,
    }


def _attribute(answer: Answer) -> dict[str, Any]:
    known = answer.attribute
    told = {"paragraph": known.paragraph, "key": known.key, "title": known.title, "available": bool(answer.text)}
    return told | ({"text": answer.text} if answer.text else {"why_not": answer.why_not})


def _mitchell(version: ModelVersion, said: Mapping[str, str]) -> dict[str, Any]:
    facts = version.facts
    return {
        "model_details": {
            "developer": said["developer"],
            "version": version.version,
            "type": model_type(facts),
            "licence": "Apache-2.0",
        },
        "intended_use": {
            "primary_uses": said["intended_use"],
            "primary_users": said["intended_users"],
            "out_of_scope": said["cautioned_uses"],
        },
        "factors": {"groups": sorted(facts.get("by_group", {})), "inputs": said["sensitive_inputs"]},
        "metrics": {"figures": headline(facts), "threshold": facts.get("threshold")},
        "evaluation_data": people(facts.get("validated_on", {})),
        "training_data": {"people": people(facts.get("trained_on", {})), "criteria": said["training_criteria"]},
        "quantitative_analyses": {"overall": said["validity_internal"], "by_group": said["fairness_internal"]},
        "ethical_considerations": said["fairness_approach"],
        "caveats_and_recommendations": said["known_risks"],
    }

"""Models that come with the code: `model/<name>.ubj` and `.json` of every app go onto the shelf at `migrate`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.core.management import CommandError

from scoring import shelf
from scoring.errors import ModelMissing, ScoringError
from scoring.models import ModelVersion
from scoring.shelf import Model

RELEASE = "release"  # who approves a model that comes with a release


def register_shipped(sender: AppConfig, *, using: str, apps: Any = installed, **_: Any) -> None:
    """The `post_migrate` handler; `apps` tells whether the table exists in the state migrated to.

    CommandError, which ends `migrate` in one sentence, where a model is not the one that was registered.
    """
    try:
        apps.get_model("scoring", "ModelVersion")
    except LookupError:
        return
    for config in installed.get_app_configs():
        for artefact in shipped_in(Path(config.path)):
            try:
                register(artefact, using=using)
            except ScoringError as error:
                raise CommandError(f"{artefact.name}: {error}") from error


def shipped_in(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("model/*.ubj")) if path.with_suffix(".json").exists())


def register(artefact: Path, *, using: str = "default") -> None:
    """Put it on the shelf once. The first version of a model is in use at once; a later one waits: `successors`."""
    facts = json.loads(artefact.with_suffix(".json").read_text(encoding="utf-8"))
    known = shelf.find(facts["name"], facts["version"], using=using)
    put = shelf.put(facts["name"], artefact.read_bytes(), facts, using=using)
    if known is None and shelf.in_use(put.name, using=using) is None:
        shelf.approve(put.name, put.version, by=RELEASE, using=using)


def successors() -> list[ModelVersion]:
    """Drafts that came with the code, where the version in use came so, too: no person has chosen that one."""
    shipped = [path for config in installed.get_app_configs() for path in shipped_in(Path(config.path))]
    found = [json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) for path in shipped]
    drafts = [shelf.find(facts["name"], facts["version"]) for facts in found]
    return [
        row
        for row in drafts
        if row is not None and row.status == ModelVersion.Status.DRAFT and _chosen_by(row.name) == RELEASE
    ]


def _chosen_by(name: str) -> str | None:
    now = shelf.in_use(name)
    return now.approved_by if now else None


def shipped_model(name: str) -> Model:
    """The model that came with the code, loaded without a database."""
    for config in installed.get_app_configs():
        for artefact in shipped_in(Path(config.path)):
            if artefact.stem == name:
                facts = json.loads(artefact.with_suffix(".json").read_text(encoding="utf-8"))
                row = ModelVersion(name=name, version=facts["version"], sha256=facts["sha256"], facts=facts)
                row.artefact = artefact.read_bytes()
                return shelf.load(row)
    raise ModelMissing(name)

"""The table itself keeps a model to one approved version."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from scoring.models import ModelVersion

pytestmark = pytest.mark.django_db


def add(version: str, status: str) -> ModelVersion:
    return ModelVersion.objects.create(name="m", version=version, status=status, sha256="", artefact=b"", facts={})


def test_two_approved_versions_of_one_model_are_refused() -> None:
    add("1", "approved")
    with pytest.raises(IntegrityError):
        add("2", "approved")


def test_many_versions_may_be_drafts_or_retired() -> None:
    for number, status in enumerate(["draft", "draft", "retired", "retired", "approved"]):
        add(str(number), status)
    assert ModelVersion.objects.filter(name="m").count() == 5


def test_a_version_is_there_once() -> None:
    add("1", "draft")
    with pytest.raises(IntegrityError):
        add("1", "retired")

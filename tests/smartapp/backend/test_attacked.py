"""Schemathesis reads our OpenAPI description and attacks what it promises: whatever is sent, no answer is a 500."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from django.test import Client
from django.urls import resolve
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as bounds
from pytest_django import Settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cds.models import Ehr
from smartapp.backend.scopes import PREDICT, READ_RESULTS, SCORE_BATCH
from tests.smartapp.backend.outside import Outside

SEED = 20260301
EXAMPLES = 40  # of each operation and kind; all of them take less than a minute
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BOUNDS = bounds(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # a case that fails is not made smaller, which would take minutes
    suppress_health_check=list(HealthCheck),
)
OPERATIONS = ["predict", "score-batch", "batch-status", "batch-delete", "batch-file"]


@pytest.fixture
def attacked(site: str, ehr: Ehr, tmp_path: Path, settings: Settings) -> Outside:
    """Nothing is limited, so that what is attacked is not the limit."""
    settings.BULK_FOLDER, settings.PREDICT_WAIT_SECONDS = tmp_path / "spool", 60
    every = f"{PREDICT} {SCORE_BATCH} {READ_RESULTS}"
    return Outside.registered(ehr, scopes=every, calls_per_minute=1_000_000, batches_per_day=1_000_000)


def test_each_address_in_the_description_is_one_of_ours(client: Client) -> None:
    for path in client.get("/api/schema").json()["paths"]:
        assert resolve(path.replace("{batch_id}", str(uuid4())).replace("{kind}", "RiskAssessment")).url_name


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_is_sent_no_answer_is_a_500(attacked: Outside, site: str, name: str, mode: GenerationMode) -> None:
    """What fits the description, and what does not; `make test` has the same cases every time."""
    schema = schemathesis.openapi.from_url(f"{site}/api/schema")
    operation = schema.find_operation_by_id(name)
    headers = attacked.signed()

    def attack(case: Case[Any]) -> None:
        case.call_and_validate(base_url=site, headers=headers, checks=CHECKS)

    seed(SEED)(BOUNDS(given(case=operation.as_strategy(generation_mode=mode))(attack)))()

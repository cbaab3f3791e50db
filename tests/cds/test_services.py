"""What every decision service must keep, the installed ones and those to come."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from cds import registry
from cds.analytes import UNIT_ALIASES
from cds.context import PatientContext
from cds.facts import Person
from cds.finding import NotApplicable, NotEnoughData, from_json
from cds.service import DecisionService
from hooks.library import HOOKS

NOBODY = PatientContext(patient=Person(id="1"), now=datetime(2026, 3, 31, 16, 30, tzinfo=ZoneInfo("Pacific/Auckland")))
every_service = pytest.mark.parametrize("service", registry.all_services(), ids=lambda service: service.id)


def test_three_services_are_installed() -> None:
    found = {service.id for service in registry.all_services()}
    assert found >= {"diabetes-risk", "hypertension-risk", "metformin-renal"}


@every_service
def test_it_says_what_it_is(service: DecisionService) -> None:
    assert re.fullmatch(r"[a-z0-9-]+", service.id)
    assert re.fullmatch(r"\d+\.\d+\.\d+", service.version)
    assert len(service.version) <= 20
    for words in (service.title, service.subject, service.description):
        assert words.strip()


@every_service
def test_it_answers_hooks_of_the_library(service: DecisionService) -> None:
    assert service.hooks
    assert len(set(service.hooks)) == len(service.hooks)
    assert set(service.hooks) <= set(HOOKS)


@every_service
def test_its_prefetch_uses_only_tokens_that_each_of_its_hooks_has(service: DecisionService) -> None:
    for hook in service.hooks:
        for need in service.needs:
            tokens = re.findall(r"\{\{context\.(\w+)\}\}", need.template)
            assert tokens
            assert set(tokens) <= HOOKS[hook].tokens
            assert "{{" not in re.sub(r"\{\{context\.\w+\}\}", "", need.template)


@every_service
def test_what_it_is_asked_again_by_are_measurements_among_its_needs(service: DecisionService) -> None:
    measured = {need.key for need in service.needs if need.analytes}
    assert set(service.asked_again_by) <= measured


@every_service
def test_its_needs_have_names_of_their_own_and_start_with_the_patient(service: DecisionService) -> None:
    keys = [need.key for need in service.needs]
    assert keys[0] == "patient"
    assert len(set(keys)) == len(keys)


@every_service
def test_its_rules_have_names_of_their_own_words_and_sources(service: DecisionService) -> None:
    keys = [rule.key for rule in service.rules]
    assert len(set(keys)) == len(keys)
    assert all(rule.text.strip() and rule.source.strip() for rule in service.rules)


@every_service
def test_it_survives_an_empty_record(service: DecisionService) -> None:
    outcome = service.assess(NOBODY, model=None, threshold=service.threshold)
    assert isinstance(outcome, NotApplicable | NotEnoughData)
    assert service.sentence(outcome, NOBODY).strip()
    assert service.records(outcome, NOBODY, assessment_id="1", at=NOBODY.now) == []
    assert from_json(msgspec.json.encode(outcome)) == outcome


@every_service
def test_its_trends_are_about_what_it_reads(service: DecisionService) -> None:
    read = {analyte.key: analyte for need in service.needs for analyte in need.analytes}
    for trend in service.trends:
        assert {read[key].unit for key in trend.analytes} == {trend.unit}
        assert trend.unit not in UNIT_ALIASES

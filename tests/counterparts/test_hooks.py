"""Hooks whose facts come from a FHIR server that nobody here wrote."""

from __future__ import annotations

from django.apps import apps

from cds.models import Ehr
from tests.counterparts.hospital import Hospital


def test_without_prefetch_the_facts_are_fetched_from_a_stranger(elsewhere: Ehr, counterparts: Hospital) -> None:
    answer = counterparts.call_hook("ada")
    assert answer.status_code == 200, answer.text
    (card,) = answer.json()["cards"]
    assert card["summary"].startswith("No HbA1c on record. About 15 in 100")
    assert "Glucose 121 mg/dL (" in card["detail"]


def test_farahs_units_are_read_from_a_stranger_too(elsewhere: Ehr, counterparts: Hospital) -> None:
    (card,) = counterparts.call_hook("farah").json()["cards"]
    assert card["summary"].startswith("HbA1c 43 mmol/mol")


def test_a_token_that_may_not_read_conditions_ends_in_412(elsewhere: Ehr, counterparts: Hospital) -> None:
    answer = counterparts.call_hook("ada", scope="patient/Patient.rs patient/Observation.rs")
    assert answer.status_code == 412


def test_the_hooks_token_is_kept_nowhere(elsewhere: Ehr, counterparts: Hospital) -> None:
    token = counterparts.token()
    assert counterparts.call_hook("ada", token=token).status_code == 200
    kept = [row for model in apps.get_models() for row in model._default_manager.values_list()]
    assert kept
    assert not [row for row in kept if token in repr(row)]

"""Hooks whose facts come from a FHIR server that nobody here wrote."""

from __future__ import annotations

from cds.models import Ehr
from tests.counterparts.hospital import Hospital


def test_without_prefetch_the_facts_are_fetched_from_a_stranger(elsewhere: Ehr, counterparts: Hospital) -> None:
    answer = counterparts.call_hook("ada")
    assert answer.status_code == 200, answer.text
    (card,) = answer.json()["cards"]
    assert card["summary"].startswith("No HbA1c on record. About 18 in 100")
    assert "Glucose 121 mg/dL (" in card["detail"]


def test_farahs_units_are_read_from_a_stranger_too(elsewhere: Ehr, counterparts: Hospital) -> None:
    (card,) = counterparts.call_hook("farah").json()["cards"]
    assert card["summary"].startswith("HbA1c 43 mmol/mol")


def test_a_token_that_may_not_read_conditions_ends_in_412(elsewhere: Ehr, counterparts: Hospital) -> None:
    answer = counterparts.call_hook("ada", scope="patient/Patient.rs patient/Observation.rs")
    assert answer.status_code == 412

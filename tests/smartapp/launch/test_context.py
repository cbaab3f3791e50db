"""What comes with a token is read with care, and only what we can use is kept."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from smartapp.launch import context
from smartapp.launch.tokens import TokenResponse


def answer(**members: Any) -> TokenResponse:
    usual = {"access_token": "t", "token_type": "Bearer", "scope": "launch", "id_token": "i"}
    return msgspec.convert(usual | members, type=TokenResponse, strict=False)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([{"reference": "ImagingStudy/9", "type": "ImagingStudy"}], ("ImagingStudy/9",)),
        (["DiagnosticReport/5"], ("DiagnosticReport/5",)),  # servers of SMART 2.0 and before
        ([{"reference": "Practitioner/1", "role": "https://example.org/role"}], ()),
        ([{"reference": "Patient/bruno"}, {"reference": "Encounter/1"}], ()),  # patient and encounter have their own
        ([{"canonical": "http://example.org/q"}, {"identifier": {"value": "x"}}], ()),
        ([{"reference": "https://elsewhere.example.org/Patient/1"}, {"reference": "../x"}, 7, None, {}], ()),
        ([{"reference": "<script>alert(1)</script>"}], ()),
        ("rubbish", ()),
        (None, ()),
    ],
    ids=str,
)
def test_fhir_context_names_what_else_is_open(given: Any, kept: tuple[str, ...]) -> None:
    assert context.also_open(answer(fhirContext=given)) == kept


def test_a_flood_of_fhir_context_is_cut() -> None:
    assert len(context.also_open(answer(fhirContext=[f"Task/{one}" for one in range(1000)]))) == 20


@pytest.mark.parametrize("given", ["ada/../bruno", "ada?x", "", "a" * 65, None])
def test_an_id_that_is_none_is_no_patient(given: str | None) -> None:
    assert context.patient_of(answer(patient=given)) is None
    assert context.encounter_of(answer(encounter=given)) is None


def test_members_that_we_do_not_know_change_nothing() -> None:
    more = {"smart_style_url": "https://elsewhere.example.org/style.json", "__x": 1, "appContext": {"a": 1}}
    assert answer(**more) == answer(appContext={"a": 1})


@pytest.mark.parametrize(
    ("scope", "usable"), [("launch offline_access", True), ("launch online_access", True), ("launch", False)]
)
def test_a_refresh_token_without_its_scope_is_not_used(scope: str, usable: bool) -> None:
    assert (answer(scope=scope, refresh_token="r").renewable_with == "r") is usable


def test_scopes_are_split_at_blanks_only() -> None:
    granular = "patient/Observation.rs?category=http://example.org/c|laboratory&status=final"
    assert answer(scope=f"openid {granular}").scopes == ("openid", granular)

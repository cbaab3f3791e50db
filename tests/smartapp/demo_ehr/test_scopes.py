"""SMART scopes of both versions."""

from __future__ import annotations

import pytest

from smartapp.demo_ehr.scopes import grantable, parse_scope


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("patient/Observation.rs", "rs"),
        ("user/*.read", "rs"),
        ("system/Patient.write", "cud"),
        ("patient/*.*", "cruds"),
    ],
)
def test_both_syntaxes_are_understood(text: str, letters: str) -> None:
    scope = parse_scope(text)
    assert scope is not None
    assert scope.letters == letters


@pytest.mark.parametrize(
    "text", ["openid", "patient/Observation.sr", "patient/Observation.dus", "nurse/Patient.r", "patient/x.r"]
)
def test_what_is_no_permission_gives_none(text: str) -> None:
    assert parse_scope(text) is None


def test_only_what_may_be_granted_is() -> None:
    asked = "openid offline_access patient/*.rs system/*.rs patient/*.rs"
    assert grantable(asked, levels=frozenset({"patient"}), words=frozenset({"openid"})) == "openid patient/*.rs"

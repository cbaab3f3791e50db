"""A service cannot start on a hook of which nobody knows the context."""

from __future__ import annotations

from cds.service import DecisionService
from hooks.checks import every_hook_is_known, unknown_hooks


class Misspelt(DecisionService):
    id = "misspelt"
    hooks = ("patient-view", "pateint-view")


def test_the_installed_services_answer_known_hooks() -> None:
    assert every_hook_is_known(None) == []


def test_a_misspelt_hook_stops_the_start() -> None:
    (problem,) = unknown_hooks(Misspelt())
    assert problem.id == "hooks.E001"
    assert "pateint-view" in problem.msg

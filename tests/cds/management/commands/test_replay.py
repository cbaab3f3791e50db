"""`manage.py replay`: what was said is printed and nobody's name; the exit status says how it went; looking is audited."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from cds.models import Assessment, AuditEntry, Ehr, EnabledService
from cds.retention import forget
from cds.services.diabetes.tests.charts import glucose, measured, person
from scoring import shelf
from scoring.models import ModelVersion
from tests.cds.answered import SERVICE, answered, production
from tests.cds.test_replay import straightened
from tests.naming import named

HIGH = (glucose(150), measured("bmi", 34))


@pytest.fixture
def real(ehr: Ehr) -> Iterator[Ehr]:
    shelf.forget()
    yield production(ehr)
    shelf.forget()


def status(*arguments: str) -> int:
    try:
        call_command("replay", *arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_same_answer_is_exit_status_0_and_names_nobody(real: Ehr, capsys: pytest.CaptureFixture[str]) -> None:
    assessment = answered(real, *HIGH, patient=person(id="ada-lindqvist"))
    assert status(str(assessment.pk)) == 0
    out = capsys.readouterr().out
    assert out.startswith("same\n  then: Finding, rule model-high, 0.")
    assert not named(out, "ada", "lindqvist")


def test_who_looks_is_audited_with_the_patient_s_key(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    status(str(assessment.pk))
    entry = AuditEntry.objects.get(action="replay")
    assert (entry.patient_key, entry.subject) == (assessment.patient_key, str(assessment.pk))
    assert entry.actor.startswith("operator ")


def test_facts_that_are_gone_are_exit_status_4(real: Ehr, capsys: pytest.CaptureFixture[str]) -> None:
    assessment = answered(real, *HIGH)
    forget(Assessment.objects.all())
    assert status(str(assessment.pk)) == 4
    assert "retention" in capsys.readouterr().out


def test_a_model_that_is_gone_is_exit_status_5(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    ModelVersion.objects.all().delete()
    shelf.forget()
    assert status(str(assessment.pk)) == 5


def test_another_threshold_of_today_is_exit_status_6(real: Ehr) -> None:
    assessment = answered(real, *HIGH)
    EnabledService.objects.filter(ehr=real, service_id=SERVICE).update(threshold=0.99)
    assert status(str(assessment.pk)) == 0
    assert status(str(assessment.pk), "--today") == 6


@pytest.mark.parametrize("unknown", ["7", "6f3c1a36-3d5f-4a30-9a53-0a8a2d4f7c11"])
def test_an_assessment_that_is_not_there_is_said_in_one_sentence(real: Ehr, unknown: str) -> None:
    with pytest.raises(CommandError, match="no assessment"):
        call_command("replay", unknown)


@pytest.mark.parametrize(
    "arguments", [("6f3c1a36-3d5f-4a30-9a53-0a8a2d4f7c11",), ("--against", "1", "--service", SERVICE)]
)
def test_a_database_that_goes_away_is_said_in_one_sentence(real: Ehr, arguments: tuple[str, ...]) -> None:
    def away(*_: object) -> None:
        raise OperationalError("the server closed the connection\nunexpectedly")

    with connection.execute_wrapper(away), pytest.raises(CommandError) as said:
        call_command("replay", *arguments)
    assert str(said.value) == "the database cannot be read: the server closed the connection"


def test_one_or_all_but_not_both(real: Ehr) -> None:
    with pytest.raises(CommandError, match="either"):
        call_command("replay")


def test_all_against_a_version_is_a_table_a_plot_and_figures(
    real: Ehr, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(real, *HIGH)
    straightened("9.0.0", intercept=-4.0)
    plot, figures = tmp_path / "plot.svg", tmp_path / "figures.json"
    call_command("replay", "--against", "9.0.0", "--service", SERVICE, "--plot", str(plot), "--json", str(figures))
    out = capsys.readouterr().out
    assert "1 recorded answers of diabetes-risk" in out
    assert "over the threshold           0 newly, 1 no more" in out
    assert "rule: model-high -> model-low" in out
    assert plot.read_text().startswith("<svg")
    assert json.loads(figures.read_text())["down"] == 1
    assert AuditEntry.objects.get(action="rehearse").detail == {"assessments": 1}


def test_since_leaves_out_what_was_before(real: Ehr, capsys: pytest.CaptureFixture[str]) -> None:
    assessment = answered(real, *HIGH)
    call_command("replay", "--against", assessment.model_version, "--service", SERVICE, "--since", "2026-04-02")
    assert capsys.readouterr().out.startswith("0 recorded answers")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--against", "7", "--service", SERVICE), "no version 7"),
        (("--against", "7", "--service", "unknown"), "there is no service"),
        (("--against", "7"), "there is no service"),
        (("--against", "7", "--service", SERVICE, "--since", "lately"), "not an ISO 8601"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(real: Ehr, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("replay", *arguments)

"""What an app ships is on the shelf after `migrate`, once, and does not push aside what a person chose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from scoring import recipes, shelf, shipped
from scoring.errors import ModelChanged, ModelDamaged
from scoring.models import ModelVersion
from scoring.training import Trained, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def artefact(trained: Trained, tmp_path: Path) -> Path:
    return write(trained, tmp_path)[0]


def shipped_facts() -> list[dict[str, Any]]:
    found = [artefact for config in apps.get_app_configs() for artefact in shipped.shipped_in(Path(config.path))]
    return [json.loads(artefact.with_suffix(".json").read_text()) for artefact in found]


every_model = pytest.mark.parametrize("facts", shipped_facts(), ids=lambda facts: facts["name"])


@every_model
def test_no_shipped_model_has_class_weights_and_its_card_shows_what_they_would_spoil(facts: dict[str, Any]) -> None:
    tried = [facts["params"], facts["search"]["space"], *(trial["params"] for trial in facts["search"]["trials"])]
    assert not [one for one in tried if "scale_pos_weight" in one]
    rows = facts["comparisons"]["class_weights"]["rows"]
    ratio = {(row["class_weight"], row["calibrated"]): row["observed_expected"] for row in rows}
    assert 0.8 < ratio["none", False] < 1.25
    assert ratio["balanced", False] < 0.7


@every_model
def test_the_threshold_of_the_best_f1_is_reported_and_not_the_one_that_is_shipped(facts: dict[str, Any]) -> None:
    (best,) = (row for row in facts["thresholds"] if row["rule"] == "the highest F1")
    assert best["f1"] == max(row["f1"] for row in facts["thresholds"])
    assert not best["shipped"]
    assert facts["performance"]["unweighted"]["at_threshold"]["f1"]["low"] is not None


@every_model
def test_rows_are_prepared_as_the_comparison_chose(facts: dict[str, Any]) -> None:
    assert facts["comparisons"]["preparation"]["taken"] == recipes.get(facts["recipe"]).preparation.name


def edit(artefact: Path, **changes: object) -> None:
    path = artefact.with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_diabetes_model_is_approved_by_release_after_migrate() -> None:
    row = ModelVersion.objects.get(name="diabetes-risk")
    assert (row.version, row.status, row.approved_by) == ("1.1.0", "approved", "release")
    assert shelf.sha256(bytes(row.artefact)) == row.sha256 == row.facts["sha256"]


def test_migrating_twice_changes_nothing() -> None:
    before = list(ModelVersion.objects.values_list("pk", "approved_at"))
    call_command("migrate", verbosity=0)
    assert list(ModelVersion.objects.values_list("pk", "approved_at")) == before


def test_a_later_version_waits(artefact: Path) -> None:
    shipped.register(artefact)
    edit(artefact, version="2.0.0")
    shipped.register(artefact)
    assert shelf.active_version("made-up-risk") == "1.0.0"
    assert ModelVersion.objects.get(version="2.0.0").status == "draft"


def test_a_release_is_succeeded_by_the_next_and_a_persons_choice_is_not() -> None:
    shelf.put(*of_a_release("0.9.0"))
    shelf.approve("diabetes-risk", "0.9.0", by="release")
    ModelVersion.objects.filter(version="1.1.0").update(status="draft")
    assert [row.version for row in shipped.successors()] == ["1.1.0"]
    ModelVersion.objects.filter(version="0.9.0").update(approved_by="chief of medicine")
    assert shipped.successors() == []


def of_a_release(version: str) -> tuple[str, bytes, dict[str, Any]]:
    """The shipped model under another version."""
    row = ModelVersion.objects.get(name="diabetes-risk", version="1.1.0")
    return row.name, bytes(row.artefact), {**row.facts, "version": version}


def test_a_shipped_model_that_was_retired_stays_retired(artefact: Path) -> None:
    shipped.register(artefact)
    ModelVersion.objects.filter(name="made-up-risk").update(status="retired")
    shipped.register(artefact)
    assert ModelVersion.objects.get(name="made-up-risk").status == "retired"


def test_an_artefact_without_metadata_is_not_a_model(artefact: Path) -> None:
    artefact.with_suffix(".json").unlink()
    assert list(shipped.shipped_in(artefact.parent.parent)) == []


def test_a_changed_artefact_under_the_same_version_stops_migrate(artefact: Path) -> None:
    shipped.register(artefact)
    changed = artefact.read_bytes() + b"\0"
    artefact.write_bytes(changed)
    with pytest.raises(ModelDamaged):
        shipped.register(artefact)
    edit(artefact, sha256=shelf.sha256(changed))
    with pytest.raises(ModelChanged, match=r"made-up-risk 1\.0\.0"):
        shipped.register(artefact)


def test_migrate_ends_in_one_sentence_where_the_file_is_not_the_one_that_was_registered() -> None:
    ModelVersion.objects.filter(name="diabetes-risk").update(sha256="0" * 64)
    with pytest.raises(
        CommandError, match=r"^diabetes-risk\.ubj: model diabetes-risk 1\.1\.0 is on the shelf already and differs"
    ):
        call_command("migrate", verbosity=0)


def test_before_the_table_exists_nothing_happens() -> None:
    class NoModels:
        def get_model(self, *_: str) -> None:
            raise LookupError

    ModelVersion.objects.all().delete()
    shipped.register_shipped(apps.get_app_config("scoring"), using="default", apps=NoModels())
    assert not ModelVersion.objects.exists()

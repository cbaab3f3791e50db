"""The shelf gives out the approved version, whole, and notices when it changes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import xgboost

from scoring import shelf
from scoring.errors import ModelChanged, ModelDamaged, ModelMissing, NothingBefore
from scoring.models import ModelVersion
from scoring.recipes import Recipe
from scoring.training import Trained, train

pytestmark = pytest.mark.django_db

SHIPPED = "diabetes-risk"
MISSING = float("nan")


@pytest.fixture
def rows() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Charts of many kinds, one row each, in the order of the shipped model; a third of the values missing."""
    draw = np.random.default_rng(3)
    low = np.array([18, 0, 18, 60, 90, 50, 120, 25, 40, 70], dtype=np.float64)
    high = np.array([80, 1, 50, 150, 190, 110, 320, 90, 500, 260], dtype=np.float64)
    values = low + (high - low) * draw.random((60, 10))
    values[:, 1] = np.round(values[:, 1])
    values[draw.random(values.shape) < 1 / 3] = np.nan
    return values


@pytest.fixture
def on_the_shelf(trained: Trained) -> ModelVersion:
    shelf.put("made-up-risk", trained.artefact, trained.facts)
    return shelf.approve("made-up-risk", "1.0.0", by="release")


def test_contributions_and_base_add_up_to_the_margin_of_the_booster(rows: np.ndarray[Any, Any]) -> None:
    model = shelf.active(SHIPPED)
    matrix = xgboost.DMatrix(rows, feature_names=list(model.features))
    margins = model.booster.predict(matrix, output_margin=True)
    for score, margin in zip(model.score_many(rows), margins, strict=True):
        assert score.base + sum(score.contributions) == pytest.approx(score.margin, abs=1e-9)
        line = model.facts["calibration"]
        assert score.margin == pytest.approx(line["slope"] * margin + line["intercept"], abs=1e-4)


def test_the_probability_without_a_calibration_is_that_of_the_booster(rows: np.ndarray[Any, Any]) -> None:
    model = replace(shelf.active(SHIPPED), facts={})
    expected = model.booster.predict(xgboost.DMatrix(rows, feature_names=list(model.features)))
    assert [score.probability for score in model.score_many(rows)] == pytest.approx(expected.tolist(), abs=1e-5)


def test_many_probabilities_at_once_are_those_that_are_explained(rows: np.ndarray[Any, Any]) -> None:
    model = shelf.active(SHIPPED)
    expected = [score.probability for score in model.score_many(rows)]
    assert model.probabilities(rows).tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ImportWarning")
def test_contributions_are_those_that_shap_computes_by_itself(rows: np.ndarray[Any, Any]) -> None:
    import shap

    model = shelf.active(SHIPPED)
    explainer = shap.TreeExplainer(model.booster)
    # Left alone, shap asks XGBoost for the numbers, and we would compare XGBoost with itself.
    explainer.model.model_type = "internal"
    # Its expected value is not the mean of the leaves where trees are constrained, hence no check of additivity.
    theirs = explainer.shap_values(rows, check_additivity=False)
    ours = np.array([score.contributions for score in model.score_many(rows)])
    assert np.abs(ours).max() > 1
    assert np.abs(ours - model.facts["calibration"]["slope"] * theirs).max() < 1e-4


def test_a_calibration_moves_the_margin_and_the_contributions_still_add_up(rows: np.ndarray[Any, Any]) -> None:
    plain = replace(shelf.active(SHIPPED), facts={})
    model = replace(plain, facts={"calibration": {"slope": 1.5, "intercept": -0.25}})
    for before, after in zip(plain.score_many(rows), model.score_many(rows), strict=True):
        assert after.margin == pytest.approx(1.5 * before.margin - 0.25, abs=1e-9)
        assert after.base + sum(after.contributions) == pytest.approx(after.margin, abs=1e-9)
        assert after.contributions == pytest.approx([1.5 * share for share in before.contributions])
        assert after.probability == pytest.approx(shelf.sigmoid(after.margin))


def test_one_row_scores_as_it_does_among_many(rows: np.ndarray[Any, Any]) -> None:
    model = shelf.active(SHIPPED)
    assert [model.score(row.tolist()) for row in rows] == model.score_many(rows)


def test_threads_that_share_a_model_get_the_same_scores(rows: np.ndarray[Any, Any]) -> None:
    model = shelf.active(SHIPPED)
    expected = model.score_many(rows)
    with ThreadPoolExecutor(max_workers=4) as threads:
        answers = list(threads.map(lambda _: [model.score(row.tolist()) for row in rows], range(8)))
    assert answers == [expected] * 8


def test_a_row_of_nothing_still_has_a_probability() -> None:
    score = shelf.active(SHIPPED).score([MISSING] * 10)
    assert 0 < score.probability < 0.2


def test_higher_glucose_never_lowers_the_probability() -> None:
    model = shelf.active(SHIPPED)
    rows = np.array([[50, 1, 28, 95, 130, 80, 200, 50, 120, glucose] for glucose in range(70, 300)], dtype=np.float64)
    probabilities = [score.probability for score in model.score_many(rows)]
    assert all(earlier <= later + 1e-6 for earlier, later in pairwise(probabilities))
    assert probabilities[0] < 0.05
    assert probabilities[-1] > 0.5


def test_an_unknown_model_is_missing() -> None:
    for ask in (shelf.active, shelf.active_version, shelf.active_facts):
        with pytest.raises(ModelMissing):
            ask("nobody-made-this")


def test_a_draft_is_not_in_use(trained: Trained) -> None:
    shelf.put("made-up-risk", trained.artefact, trained.facts)
    with pytest.raises(ModelMissing):
        shelf.active_version("made-up-risk")


def test_an_artefact_with_another_sha256_is_refused(on_the_shelf: ModelVersion) -> None:
    damaged = bytes(on_the_shelf.artefact)[:-1] + b"\0"
    ModelVersion.objects.filter(pk=on_the_shelf.pk).update(artefact=damaged)
    with pytest.raises(ModelDamaged, match="sha256"):
        shelf.active("made-up-risk")


def test_metadata_that_name_other_features_are_refused(on_the_shelf: ModelVersion) -> None:
    on_the_shelf.facts["features"].reverse()
    on_the_shelf.save()
    with pytest.raises(ModelDamaged, match="features"):
        shelf.active("made-up-risk")


def test_facts_of_another_artefact_are_refused(trained: Trained) -> None:
    with pytest.raises(ModelDamaged, match="belong together"):
        shelf.put("made-up-risk", trained.artefact + b"\0", trained.facts)


def test_the_same_version_put_again_changes_nothing(on_the_shelf: ModelVersion, trained: Trained) -> None:
    again = shelf.put("made-up-risk", trained.artefact, trained.facts)
    assert (again.pk, again.status) == (on_the_shelf.pk, ModelVersion.Status.APPROVED)


def test_other_facts_under_the_same_version_are_refused(on_the_shelf: ModelVersion, trained: Trained) -> None:
    with pytest.raises(ModelChanged, match="new version number"):
        shelf.put("made-up-risk", trained.artefact, {**trained.facts, "threshold": 0.9})


@pytest.fixture
def put_next(trained: Trained, recipe: Recipe, cohort: Any) -> Callable[[], None]:
    """Puts a second version, trained with fewer rounds."""

    def put() -> None:
        second = train(replace(recipe, version="1.1.0", most_rounds=5), cohort, source="made-up", seed=1)
        shelf.put("made-up-risk", second.artefact, second.facts)

    return put


def test_approving_the_next_version_retires_the_one_before(
    on_the_shelf: ModelVersion, put_next: Callable[[], None]
) -> None:
    before = shelf.active("made-up-risk")
    put_next()
    shelf.approve("made-up-risk", "1.1.0", by="a data scientist")
    after = shelf.active("made-up-risk")
    on_the_shelf.refresh_from_db()
    assert (before.version, after.version) == ("1.0.0", "1.1.0")
    assert before.score([1, 1, 1]) != after.score([1, 1, 1])
    assert on_the_shelf.status == ModelVersion.Status.RETIRED


def test_a_rollback_leads_to_what_was_in_use_before_and_no_further(
    on_the_shelf: ModelVersion, put_next: Callable[[], None]
) -> None:
    put_next()
    shelf.approve("made-up-risk", "1.1.0", by="a data scientist")
    assert shelf.roll_back("made-up-risk", by="the doctor on call").version == "1.0.0"
    assert shelf.active_version("made-up-risk") == "1.0.0"
    assert statuses() == {"1.0.0": "approved", "1.1.0": "retired"}
    with pytest.raises(NothingBefore):
        shelf.roll_back("made-up-risk", by="the doctor on call")


def test_after_a_rollback_the_version_may_be_approved_again_and_rolled_back_again(
    on_the_shelf: ModelVersion, put_next: Callable[[], None]
) -> None:
    put_next()
    for _ in range(2):
        shelf.approve("made-up-risk", "1.1.0", by="a data scientist")
        assert shelf.roll_back("made-up-risk", by="the doctor on call").version == "1.0.0"


def test_a_damaged_version_does_not_come_into_use(on_the_shelf: ModelVersion, put_next: Callable[[], None]) -> None:
    put_next()
    ModelVersion.objects.filter(version="1.1.0").update(artefact=b"rubbish")
    with pytest.raises(ModelDamaged, match="sha256"):
        shelf.approve("made-up-risk", "1.1.0", by="a data scientist")
    assert statuses() == {"1.0.0": "approved", "1.1.0": "draft"}


def statuses() -> dict[str, str]:
    return dict(ModelVersion.objects.filter(name="made-up-risk").values_list("version", "status"))


def test_a_version_that_another_process_approved_is_used_soon(
    on_the_shelf: ModelVersion, put_next: Callable[[], None]
) -> None:
    assert shelf.active("made-up-risk").version == "1.0.0"
    put_next()
    versions = ModelVersion.objects.filter(name="made-up-risk")
    versions.filter(version="1.0.0").update(status="retired")
    versions.filter(version="1.1.0").update(status="approved")
    deadline = time.monotonic() + 2 * shelf.LOOK_AGAIN_SECONDS
    while shelf.active_version("made-up-risk") == "1.0.0":
        assert time.monotonic() < deadline
    assert shelf.active("made-up-risk").version == "1.1.0"
    assert shelf.active_facts("made-up-risk")["version"] == "1.1.0"


def test_within_two_seconds_the_database_is_asked_once(
    on_the_shelf: ModelVersion, django_assert_num_queries: Any
) -> None:
    shelf.active("made-up-risk")
    with django_assert_num_queries(0):
        for _ in range(5):
            shelf.active("made-up-risk")
            shelf.active_version("made-up-risk")


def test_a_retired_version_still_answers_what_was_asked_of_it(
    on_the_shelf: ModelVersion, put_next: Callable[[], None]
) -> None:
    before = shelf.get("made-up-risk", "1.0.0").score([1, 1, 1])
    put_next()
    shelf.approve("made-up-risk", "1.1.0", by="a data scientist")
    shelf.forget()
    assert shelf.get("made-up-risk", "1.0.0").score([1, 1, 1]) == before
    assert shelf.active("made-up-risk").score([1, 1, 1]) != before


def test_a_draft_can_be_asked_for_by_its_version(trained: Trained) -> None:
    shelf.put("made-up-risk", trained.artefact, trained.facts)
    assert shelf.get("made-up-risk", "1.0.0").version == "1.0.0"
    with pytest.raises(ModelMissing):
        shelf.get("made-up-risk", "9.9.9")


def test_a_process_keeps_a_few_versions_and_loads_an_evicted_one_again(
    on_the_shelf: ModelVersion, trained: Trained, django_assert_num_queries: Any
) -> None:
    shelf.get("made-up-risk", "1.0.0")
    with django_assert_num_queries(0):
        shelf.get("made-up-risk", "1.0.0")
    for number in range(shelf.KEPT_LOADED):
        shelf.put("made-up-risk", trained.artefact, {**trained.facts, "version": f"2.0.{number}"})
        shelf.get("made-up-risk", f"2.0.{number}")
    with django_assert_num_queries(1):
        shelf.get("made-up-risk", "1.0.0")


def test_a_version_that_is_not_there_cannot_be_approved() -> None:
    with pytest.raises(ModelMissing):
        shelf.approve("made-up-risk", "9.9.9", by="release")


def test_the_web_process_learns_version_and_facts_without_xgboost() -> None:
    """A fresh interpreter migrates, asks what a web process asks, and says which heavy modules it has met."""
    program = """
        import sys
        import django
        from django.conf import settings
        settings.configure(
            INSTALLED_APPS=["scoring", "cds.services.diabetes"],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        )
        django.setup()
        from django.core.management import call_command
        call_command("migrate", verbosity=0)
        from cds.services.diabetes import features
        from scoring import explain, shelf
        print(shelf.active_version("diabetes-risk"), shelf.active_facts("diabetes-risk")["threshold"])
        print(sorted({"xgboost", "sklearn", "pandas", "shap"} & set(sys.modules)))
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines() == ["1.1.0 0.1", "[]"]

"""The model shelf: put a version, approve it, and get that or any other, checked and cached.

XGBoost is imported only inside `load`: the web process asks for a version or its facts and never pays for it.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray

from scoring.errors import ModelChanged, ModelDamaged, ModelMissing, NothingBefore
from scoring.models import ModelVersion

KEPT_LOADED = 8  # versions in memory of one process, about 1 MB each
LOOK_AGAIN_SECONDS = 2.0  # how long a process may go on with a version that has just been replaced


@dataclass(frozen=True, kw_only=True)
class Score:
    """One row's answer. Only log-odds add up: margin = base + sum(contributions)."""

    probability: float
    margin: float
    base: float
    contributions: tuple[float, ...]  # exact TreeSHAP, one per feature, in the model's order


@dataclass(frozen=True, kw_only=True)
class Model:
    """A loaded version. It never changes and may be used by several threads at once."""

    name: str
    version: str
    sha256: str
    features: tuple[str, ...]
    facts: Mapping[str, Any]
    booster: Any = field(repr=False, compare=False)

    def score(self, row: Sequence[float]) -> Score:
        return self.score_many(np.asarray([row], dtype=np.float64))[0]

    def score_many(self, rows: NDArray[np.float64]) -> list[Score]:
        """Scores of rows in the model's order of features; nan is a missing value."""
        from xgboost import DMatrix

        matrix = DMatrix(rows, feature_names=list(self.features), nthread=1)
        raw = self.booster.predict(matrix, pred_contribs=True).astype(np.float64)
        return [_score(parts) for parts in calibrated(raw, self.facts)]

    def foreseeing(self, rows: Sequence[Sequence[float]]) -> Model:
        """The same version with the scores of these rows at hand, computed at once: a row alone costs twenty times as much."""
        if not rows:
            return self
        matrix = np.asarray(rows, dtype=np.float64)
        known = {row.tobytes(): score for row, score in zip(matrix, self.score_many(matrix), strict=True)}
        return _Foreseeing(**{one.name: getattr(self, one.name) for one in fields(Model)}, known=known)

    def probabilities(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same probabilities without their reasons, for thousands of rows at once."""
        from xgboost import DMatrix

        matrix = DMatrix(rows, feature_names=list(self.features), nthread=1)
        margins = self.booster.predict(matrix, output_margin=True).astype(np.float64)
        return np.asarray(1 / (1 + np.exp(-calibrated(margins[:, np.newaxis], self.facts)[:, 0])))


@dataclass(frozen=True, kw_only=True)
class _Foreseeing(Model):
    known: Mapping[bytes, Score] = field(repr=False, compare=False)

    def score(self, row: Sequence[float]) -> Score:
        found = self.known.get(np.asarray(row, dtype=np.float64).tobytes())
        return found or super().score(row)


def calibrated(parts: NDArray[np.float64], facts: Mapping[str, Any]) -> NDArray[np.float64]:
    """Log-odds, one row a person and the base last, on Platt's line where training drew one; they still add up.

    margin' = slope * margin + intercept. Platt, Probabilistic outputs for support vector machines (1999).
    """
    line = facts.get("calibration", {"slope": 1.0, "intercept": 0.0})
    straightened: NDArray[np.float64] = parts * line["slope"]
    straightened[:, -1] += line["intercept"]
    return straightened


def _score(parts: NDArray[np.float64]) -> Score:
    *contributions, base = parts.tolist()
    margin = base + math.fsum(contributions)
    return Score(probability=sigmoid(margin), margin=margin, base=base, contributions=tuple(contributions))


def sigmoid(margin: float) -> float:
    return 1.0 / (1.0 + math.exp(-margin)) if margin >= 0 else 1.0 - 1.0 / (1.0 + math.exp(margin))


@dataclass(frozen=True, kw_only=True)
class _Approved:
    version: str
    sha256: str
    facts: Mapping[str, Any]
    seen: float


_approved: dict[str, _Approved] = {}
_loaded: dict[tuple[str, str], Model] = {}
_loading = threading.Lock()


def active(name: str) -> Model:
    """The approved version of `name`."""
    return get(name, _look_up(name).version)


def get(name: str, version: str) -> Model:
    """That version, whatever its status: a question is answered by the version that it was asked of. Loaded once a
    process, while others go on with what is loaded."""
    model = _loaded.get((name, version))
    return model or _load_once(name, version)


def _load_once(name: str, version: str) -> Model:
    with _loading:  # two threads need not both read the artefact
        model = _loaded.get((name, version))
        if model is None:
            model = _loaded[name, version] = load(_row(name, version))
        if len(_loaded) > KEPT_LOADED:
            del _loaded[next(iter(_loaded))]
        return model


def active_version(name: str) -> str:
    return _look_up(name).version


def active_facts(name: str) -> Mapping[str, Any]:
    return _look_up(name).facts


def forget() -> None:
    """Look at the table again at the next question, and load again at the next score."""
    _approved.clear()
    _loaded.clear()


def _look_up(name: str) -> _Approved:
    known = _approved.get(name)
    if known and time.monotonic() - known.seen < LOOK_AGAIN_SECONDS:
        return known
    rows = ModelVersion.objects.filter(name=name, status=ModelVersion.Status.APPROVED)
    found = rows.values_list("version", "sha256").first()
    if found is None:
        _approved.pop(name, None)
        raise ModelMissing(name)
    same = known is not None and (known.version, known.sha256) == found
    facts = known.facts if known and same else _row(name, found[0]).facts  # of whatever status: it may just be replaced
    _approved[name] = _Approved(version=found[0], sha256=found[1], facts=facts, seen=time.monotonic())
    return _approved[name]


def _row(name: str, version: str) -> ModelVersion:
    row = find(name, version)
    if row is None:
        raise ModelMissing(name, version)
    return row


def load(row: ModelVersion) -> Model:
    """Read the artefact. Other bytes, or other features, than training recorded are refused."""
    from xgboost import Booster

    artefact = bytes(row.artefact)
    features = tuple(row.facts["features"])
    if sha256(artefact) != row.sha256:
        raise ModelDamaged(row.name, row.version, reason="its sha256 is not the recorded one")
    booster = Booster(params={"nthread": 1})  # 15-40 ms a row with more threads, 0.3 ms with one
    booster.load_model(bytearray(artefact))
    if tuple(booster.feature_names or ()) != features:
        raise ModelDamaged(row.name, row.version, reason="its features are not the recorded ones")
    return Model(
        name=row.name, version=row.version, sha256=row.sha256, features=features, facts=row.facts, booster=booster
    )


def sha256(artefact: bytes) -> str:
    return hashlib.sha256(artefact).hexdigest()


def find(name: str, version: str, *, using: str = "default") -> ModelVersion | None:
    return ModelVersion.objects.using(using).filter(name=name, version=version).first()


def put(name: str, artefact: bytes, facts: Mapping[str, Any], *, using: str = "default") -> ModelVersion:
    """Put a version on the shelf as a draft; the same one again changes nothing."""
    digest = sha256(artefact)
    if facts["sha256"] != digest:
        raise ModelDamaged(name, facts["version"], reason="artefact and metadata do not belong together")
    row, _ = ModelVersion.objects.using(using).get_or_create(
        name=name,
        version=facts["version"],
        defaults={"sha256": digest, "artefact": artefact, "facts": dict(facts)},
    )
    if row.sha256 != digest or row.facts != dict(facts):  # facts decide too: on the threshold, on abstaining
        raise ModelChanged(name, row.version)
    return row


def approve(name: str, version: str, *, by: str, using: str = "default") -> ModelVersion:
    """Make it the version in use; the one before is retired in the same transaction."""
    with transaction.atomic(using=using):
        row = ModelVersion.objects.using(using).select_for_update().filter(name=name, version=version).first()
        if row is None:
            raise ModelMissing(name, version)
        before = in_use(name, using=using)
        row.replaces = row.replaces if row == before else before
        _use(row, by=by, using=using)
    return row


def roll_back(name: str, *, by: str, using: str = "default") -> ModelVersion:
    """Back to the version that the one in use has replaced. A second time leads to the one before that."""
    with transaction.atomic(using=using):
        now = in_use(name, using=using)
        if now is None or now.replaces is None:
            raise NothingBefore(name)
        row = now.replaces
        _use(row, by=by, using=using)
    return row


def in_use(name: str, *, using: str = "default") -> ModelVersion | None:
    rows = ModelVersion.objects.using(using).filter(name=name, status=ModelVersion.Status.APPROVED)
    return rows.defer("artefact").first()


def _use(row: ModelVersion, *, by: str, using: str) -> None:
    if sha256(bytes(row.artefact)) != row.sha256:
        raise ModelDamaged(row.name, row.version, reason="its sha256 is not the recorded one")
    rows = ModelVersion.objects.using(using).filter(name=row.name, status=ModelVersion.Status.APPROVED)
    rows.exclude(pk=row.pk).update(status=ModelVersion.Status.RETIRED)
    row.status, row.approved_by, row.approved_at = ModelVersion.Status.APPROVED, by, timezone.now()
    row.save(update_fields=["status", "approved_by", "approved_at", "replaces"])
    _approved.pop(row.name, None)  # other processes see it within LOOK_AGAIN_SECONDS

"""Rehearse: what was asked and answered, put to another version of the model. Counts come out of it, and no patient."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from cryptography.fernet import InvalidToken
from django.db.models import Q
from msgspec import DecodeError, Struct
from msgspec.structs import replace

from cds.cards import Card
from cds.context import PatientContext
from cds.errors import BadInput
from cds.finding import Outcome
from cds.models import Assessment, Ehr
from cds.service import DecisionService
from scoring import shelf
from scoring.shelf import Model

logger = logging.getLogger(__name__)

BANDS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)  # lower ends of probabilities, for the table of both versions
_SAME = 5e-7  # probabilities that differ by less are one: stored answers have six digits worth keeping


class Rehearsal(Struct, frozen=True, kw_only=True):
    """How the recorded answers compare with those of `version`. Probabilities are fractions; differences now - then."""

    service: str
    version: str
    recorded: dict[str, int]  # versions that gave the recorded answers -> how many
    asked: int
    unreadable: int
    scored: int  # by both
    same: int
    differences: tuple[float, float, float, float, float] | None  # least, quartiles, greatest
    up: int  # from below the threshold to at or above it
    down: int
    cards: dict[str, int]  # appear, disappear, same words, other words, none
    rules: dict[str, int]  # "then -> now", where it is another one
    bands: list[list[int]]  # rows: the probability then, columns: now, in BANDS


def recorded(service: DecisionService, *, since: datetime | None = None) -> list[str]:
    """Ids of finished assessments whose facts are still there; of invented patients only where all are invented."""
    found = Assessment.objects.filter(
        Q(test=False) | ~Q(ehr__environment=Ehr.Environment.PRODUCTION),
        service_id=service.id,
        status=Assessment.Status.DONE,
        snapshot__isnull=False,
    )
    found = found.filter(created_at__gte=since) if since else found
    return [str(pk) for pk in found.order_by("created_at").values_list("pk", flat=True)]


def rehearse(
    service: DecisionService, ids: Iterable[str], *, version: str, tick: Callable[[], object] = lambda: None
) -> Rehearsal:
    """`tick` is called after each. Restricted charts are left out: they are opened one by one and for a reason."""
    if service.model is None:
        raise BadInput(f"{service.id} has no model: its answers are rules alone")
    model = shelf.get(service.model, version)
    tally = _Tally()
    for pk in ids:
        try:
            tally.add(service, Assessment.objects.defer("snapshot", "result").get(pk=pk), model)
        except (InvalidToken, DecodeError) as error:
            logger.warning("assessment %s cannot be read: %s", pk, type(error).__name__)
            tally.unreadable += 1
        tick()
    return tally.rehearsal(service, version)


def of_nobody(context: PatientContext) -> PatientContext:
    """The recorded facts without the patient's ids, so that no plug-in, and no log of one, can say whose they are.

    Dates and references stay: ages, look-backs and who lies on a ward hang on them.
    """
    return replace(context, patient=replace(context.patient, id="", replaces=()))


class _Tally:
    """Counts while the recorded answers pass."""

    def __init__(self) -> None:
        self.unreadable = 0
        self.versions: Counter[str] = Counter()
        self.cards: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.crossed: Counter[str] = Counter()
        self.pairs: list[tuple[float, float]] = []

    def add(self, service: DecisionService, assessment: Assessment, model: Model) -> None:
        context, then = of_nobody(assessment.context), assessment.outcome
        if context.patient.restricted or then is None:
            return
        now = service.assess(context, model=model, threshold=assessment.threshold)
        self.versions[assessment.model_version] += 1
        self.cards[_fate(service.cards(then, context), service.cards(now, context))] += 1
        if then.rule != now.rule:
            self.rules[f"{then.rule} -> {now.rule}"] += 1
        before, after = _probability(then), _probability(now)
        if before is not None and after is not None:
            self.pairs.append((before, after))
            if (before >= assessment.threshold) != (after >= assessment.threshold):
                self.crossed["up" if after > before else "down"] += 1

    def rehearsal(self, service: DecisionService, version: str) -> Rehearsal:
        changes = sorted(after - before for before, after in self.pairs)
        return Rehearsal(
            service=service.id,
            version=version,
            recorded=dict(self.versions),
            asked=self.versions.total(),
            unreadable=self.unreadable,
            scored=len(self.pairs),
            same=sum(abs(change) < _SAME for change in changes),
            differences=_five(changes) if changes else None,
            up=self.crossed["up"],
            down=self.crossed["down"],
            cards={fate: self.cards[fate] for fate in FATES},
            rules=dict(self.rules.most_common()),
            bands=_bands(self.pairs),
        )


FATES = ("appears", "disappears", "same words", "other words", "no card")


def _fate(then: list[Card], now: list[Card]) -> str:
    if not then or not now:
        return "appears" if now else "disappears" if then else "no card"
    words: list[Any] = [[(card.indicator, card.summary, card.detail) for card in cards] for cards in (then, now)]
    return "same words" if words[0] == words[1] else "other words"


def _probability(outcome: Outcome) -> float | None:
    estimate = getattr(outcome, "estimate", None)
    return estimate.probability if estimate else None


def _five(ordered: Sequence[float]) -> tuple[float, float, float, float, float]:
    """Least, quartiles and greatest, each one that occurs."""
    last = len(ordered) - 1
    first, low, middle, high, greatest = (ordered[round(last * quarter / 4)] for quarter in range(5))
    return first, low, middle, high, greatest


def _bands(pairs: Iterable[tuple[float, float]]) -> list[list[int]]:
    table = [[0] * len(BANDS) for _ in BANDS]
    for before, after in pairs:
        table[bisect_right(BANDS, before) - 1][bisect_right(BANDS, after) - 1] += 1
    return table

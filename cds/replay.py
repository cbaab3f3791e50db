"""Replay: the stored facts, the recorded version of the model and today's code give the same answer again, or we say why not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec
from cryptography.fernet import InvalidToken
from msgspec import Struct

from cds import registry
from cds.cards import Card
from cds.context import PatientContext
from cds.errors import Gone, UnknownService
from cds.facilities import places, refined
from cds.finding import Outcome
from cds.models import Assessment, EnabledService
from cds.service import DecisionService
from cds.suppress import words_key
from scoring import shelf
from scoring.errors import ModelDamaged, ModelMissing

logger = logging.getLogger(__name__)


class Verdict(StrEnum):
    """How it went, and where it did not go, whose change it is."""

    SAME = "same"
    CODE = "code"  # the service's code is another one than then
    FACTS = "facts"  # they were deleted after their time, or cannot be decrypted
    MODEL = "model"  # missing, damaged, or another one is in use now
    THRESHOLD = "threshold"  # another one is set now
    UNFINISHED = "unfinished"  # there was no answer then
    UNEXPLAINED = "unexplained"  # everything is as it was then, and the answer is not


class Said(Struct, frozen=True, kw_only=True):
    """An answer as far as people talk about it; `cards` are the summaries."""

    outcome: str
    rule: str
    probability: float | None
    cards: tuple[str, ...] = ()


class Replay(Struct, frozen=True, kw_only=True):
    """What was said then and what is said now; `why` in sentences, `differences` as paths in the outcome."""

    verdict: Verdict
    why: tuple[str, ...]
    then: Said | None = None
    now: Said | None = None
    differences: tuple[str, ...] = ()


class _Unreplayable(Exception):
    def __init__(self, verdict: Verdict, why: str) -> None:
        super().__init__(why)
        self.verdict = verdict


def replay(assessment: Assessment) -> Replay:
    """The same facts, model and threshold as then: the outcome must be the same to the byte, and so must the cards' words.

    `assessment` comes with snapshot and result deferred, so that what cannot be decrypted is met here.
    """
    try:
        outcome, context = _then(assessment)
        service = _service(assessment)
        again = _answer(assessment, service, context, version=assessment.model_version, threshold=assessment.threshold)
    except _Unreplayable as stop:
        return Replay(verdict=stop.verdict, why=(str(stop),))
    cards = service.cards(again, context)
    comparable = assessment.ehr.pseudonym(context.patient.id) == assessment.patient_key
    differences = (*_other_outcome(assessment, again), *(_other_words(assessment, cards) if comparable else ()))
    verdict, why = _judge(assessment, service, same=not differences)
    unknown = (
        () if comparable else ("SECRET_KEY has changed since: whether the cards had the same words is not known.",)
    )
    return Replay(
        verdict=verdict,
        why=(*why, *unknown),
        then=_said(outcome, service.cards(outcome, context)),
        now=_said(again, cards),
        differences=differences,
    )


def as_of_today(assessment: Assessment) -> Replay:
    """What would the same facts, on their day, be told with today's threshold, model and code? The first that matters."""
    found = replay(assessment)
    if found.verdict is not Verdict.SAME:
        return found
    service, context = _service(assessment), assessment.context
    here = EnabledService.objects.filter(ehr=assessment.ehr, service_id=service.id).first()
    there = refined(here, places(context)) if here else None
    threshold = there.threshold if there and there.threshold is not None else service.threshold
    version = shelf.active_version(service.model) if service.model else ""
    steps = (
        (
            Verdict.THRESHOLD,
            assessment.model_version,
            f"the threshold was {assessment.threshold:g} and is {threshold:g}",
        ),
        (Verdict.MODEL, version, f"the model was version {assessment.model_version} and is {version}"),
    )
    for verdict, model_version, why in steps:
        try:
            outcome = _answer(assessment, service, context, version=model_version, threshold=threshold)
        except _Unreplayable as stop:
            return Replay(verdict=stop.verdict, why=(str(stop),), then=found.then)
        said = _said(outcome, service.cards(outcome, context))
        if said != found.then:
            return Replay(verdict=verdict, why=(f"Today's answer is another one: {why}.",), then=found.then, now=said)
    return Replay(verdict=Verdict.SAME, why=("Today's answer is the same.",), then=found.then, now=found.then)


def _then(assessment: Assessment) -> tuple[Outcome, PatientContext]:
    if not assessment.settled:
        raise _Unreplayable(Verdict.UNFINISHED, f"There was no answer: the assessment is {assessment.status}.")
    try:
        outcome, context = assessment.outcome, assessment.context
    except Gone as error:
        raise _Unreplayable(Verdict.FACTS, f"It cannot be replayed: {error}.") from error
    except InvalidToken as error:
        raise _Unreplayable(Verdict.FACTS, "FIELD_KEYS no longer holds the key of these facts.") from error
    except msgspec.DecodeError as error:
        why = "Today's code cannot read facts of that time: their shape has changed."
        raise _Unreplayable(Verdict.CODE, why) from error
    if outcome is None:
        raise _Unreplayable(Verdict.UNFINISHED, "There is no answer on record.")
    return outcome, context


def _service(assessment: Assessment) -> DecisionService:
    try:
        return registry.get(assessment.service_id)
    except UnknownService as error:
        raise _Unreplayable(Verdict.CODE, f"The service {assessment.service_id} is not installed any more.") from error


def _answer(
    assessment: Assessment, service: DecisionService, context: PatientContext, *, version: str, threshold: float
) -> Outcome:
    try:
        model = shelf.get(service.model, version) if service.model else None
    except (ModelMissing, ModelDamaged) as error:
        raise _Unreplayable(Verdict.MODEL, f"The model of then cannot be used: {error}.") from error
    try:
        return service.assess(context, model=model, threshold=threshold)
    except Exception as error:  # the outermost edge of the work, as in cds.assess
        logger.exception("the replay of assessment %s failed", assessment.pk)
        raise _Unreplayable(Verdict.UNEXPLAINED, f"The service fails now ({type(error).__name__}).") from error


def _judge(assessment: Assessment, service: DecisionService, *, same: bool) -> tuple[Verdict, tuple[str, ...]]:
    changed = service.version != assessment.service_version
    code = f"The service's code was version {assessment.service_version} and is {service.version}"
    if same:
        return Verdict.SAME, (f"{code}; the answer is the same.",) if changed else ()
    if changed:
        return Verdict.CODE, (f"{code}.",)
    why = "Facts, model, threshold and the code's version are those of then: a rule was changed without a new version."
    return Verdict.UNEXPLAINED, (why,)


def _said(outcome: Outcome, cards: list[Card]) -> Said:
    estimate = getattr(outcome, "estimate", None)
    return Said(
        outcome=type(outcome).__name__,
        rule=outcome.rule,
        probability=estimate.probability if estimate else None,
        cards=tuple(card.summary for card in cards),
    )


def _other_outcome(assessment: Assessment, again: Outcome) -> Iterator[str]:
    before, after = bytes(assessment.result or b""), msgspec.json.encode(again)
    if before != after:
        yield from _paths(msgspec.json.decode(before), msgspec.json.decode(after))


def _paths(then: Any, now: Any, path: str = "") -> Iterator[str]:
    """Every leaf that differs, as "estimate.probability: 0.12 -> 0.13"."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted({*then, *now}):
            yield from _paths(then.get(key), now.get(key), f"{path}.{key}" if path else key)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for index, (before, after) in enumerate(zip(then, now, strict=True)):
            yield from _paths(before, after, f"{path}[{index}]")
    elif then != now or type(then) is not type(now):
        yield f"{path}: {then} -> {now}"


def _other_words(assessment: Assessment, cards: list[Card]) -> Iterator[str]:
    """Cards that were shown and whose words are not among today's; only their keyed hashes were kept."""
    today = {words_key(card, assessment.ehr) for card in cards}
    shown = set(assessment.cards.exclude(words_key="").values_list("words_key", "summary_kind"))
    for key, rule in sorted(shown):
        if key not in today:
            yield f"cards: the card of rule {rule} says something else now"

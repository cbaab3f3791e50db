"""What may be said by now: how far it is, and the result at the looks that the protocol plans. Any other look is marked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.utils import timezone
from msgspec import Struct

from cds.experiments import rows
from cds.experiments.rows import Person
from cds.models import Enrolment, Experiment, Merge
from cds.protocol import CHOSEN_BY_THE_ARM, UNITS, Protocol
from scoring import trials
from scoring.trials import Effect

Arm = Enrolment.Arm


class Peek(Struct, frozen=True, kw_only=True):
    """A look that nobody planned, as it was seen."""

    at: datetime
    by: str
    why: str
    effect: Effect


class Look(Struct, frozen=True, kw_only=True):
    """A planned one: always of the same first people, whenever somebody opens the page."""

    number: int
    people: int
    final: bool
    effect: Effect

    @property
    def different(self) -> bool:
        """By the protocol's rule: before the end it takes far more than at the end."""
        return self.effect.beyond(trials.ALPHA if self.final else trials.EARLY)


class Report(Struct, frozen=True, kw_only=True):
    patients: int  # enrolled and drawn
    unassigned: int  # patients of whom no unit could be named
    both: int  # patients who were met in both arms
    merged: int  # records that do not count, since they were merged with one that does
    followed: int  # measured, and followed up to the end
    planned: tuple[int, ...]
    looks: tuple[Look, ...]  # that are due
    peeks: tuple[Peek, ...]
    units: tuple[int, int]  # standing, other
    mismatch: bool
    drawn: str  # of what there are units
    by_cluster: bool
    chosen_by_the_arm: bool
    apart: Apart | None = None  # of a shadow, at its last look

    @property
    def size(self) -> int:
        return self.planned[-1]

    @property
    def last(self) -> Look | None:
        return self.looks[-1] if self.looks else None

    @property
    def may_end(self) -> bool:
        """By the protocol."""
        return any(look.final or look.different for look in self.looks)


class Apart(Struct, frozen=True, kw_only=True):
    """Who would be alerted on in one way and not in the other, and how well each way's probabilities do."""

    both: int
    neither: int
    only_standing: tuple[UUID, ...]
    only_other: tuple[UUID, ...]
    known: int  # with a truth, and a probability in both ways
    figures: dict[str, trials.Twofold]


def report(experiment: Experiment) -> Report:
    protocol = experiment.protocol
    found = [one for one in rows.people(experiment) if one.happened is not None]
    looks = tuple(
        Look(
            number=number,
            people=people,
            final=number == protocol.looks,
            effect=_effect(experiment, found[:people]),
        )
        for number, people in enumerate(protocol.planned, start=1)
        if people <= len(found)
    )
    units = Counter(arm for _, arm in rows.units(experiment))
    counted = (units[Arm.STANDING], units[Arm.OTHER])
    shadow = protocol.form == "shadow"
    return Report(
        **_met(experiment),
        followed=len(found),
        planned=protocol.planned,
        looks=looks,
        peeks=tuple(msgspec.convert(one, type=Peek) for one in experiment.peeks),
        units=counted,
        merged=len(rows.set_aside(experiment)),
        mismatch=_by_chance(protocol) and trials.mismatch(*counted, share=protocol.share / 100),
        drawn=UNITS[protocol.unit].removeprefix("the ") + "s" if protocol.clustered else "patients",
        by_cluster=protocol.clustered,
        chosen_by_the_arm=protocol.metric in CHOSEN_BY_THE_ARM,
        apart=_apart(found[: looks[-1].people]) if shadow and looks else None,
    )


def _by_chance(protocol: Protocol) -> bool:
    """Departments are dealt out in the planned numbers, and it says nothing which of them have met somebody."""
    return protocol.form != "shadow" and not protocol.by_place


def peek(experiment: Experiment, *, by: str, why: str) -> Peek:
    """Of everybody who has been followed up by now."""
    found = [one for one in rows.people(experiment) if one.happened is not None]
    return Peek(at=timezone.now(), by=by, why=why, effect=_effect(experiment, found))


def _effect(experiment: Experiment, found: Sequence[Person]) -> Effect:
    happened = [one.happened is True for one in found]
    if experiment.protocol.form == "shadow":
        return trials.pairs(happened, [one.twin is True for one in found])
    return trials.effect(happened, [one.other for one in found], [one.unit_key for one in found])


def _met(experiment: Experiment) -> dict[str, int]:
    arms: dict[str, set[str]] = defaultdict(set)
    goes_on = Merge.survivors(experiment.ehr_id)
    for key, arm in rows.enrolled(experiment).order_by().values_list("patient_key", "arm").distinct():
        arms[goes_on.get(key, key)].add(arm)
    return {
        "patients": sum(bool(one - {Arm.NONE}) for one in arms.values()),
        "unassigned": sum(one == {Arm.NONE} for one in arms.values()),
        "both": sum({Arm.STANDING, Arm.OTHER} <= one for one in arms.values()),
    }


def _apart(found: Sequence[Person]) -> Apart:
    """By the metric's own sides where it is about alerts; else by who was told right."""
    sides: dict[tuple[bool, bool], list[UUID]] = defaultdict(list)
    for one in found:
        sides[one.happened is True, one.twin is True].append(one.assessment)
    scored = [one for one in found if None not in (one.label, one.probability, one.twin_probability)]
    return Apart(
        both=len(sides[True, True]),
        neither=len(sides[False, False]),
        only_standing=tuple(sides[True, False]),
        only_other=tuple(sides[False, True]),
        known=len(scored),
        figures=trials.twofold(
            [one.label is True for one in scored],
            [one.probability or 0.0 for one in scored],
            [one.twin_probability or 0.0 for one in scored],
        ),
    )

"""How far a service reaches at an EHR: off, silent, canary, live. Nothing else changes a stage, which is read at every call.

Up takes two people and one step at a time; what anybody is to see waits for the scorecard of silent mode. Down takes one
person and is done at once. Each step is a `StageChange` and an audit entry. Why: docs/decisions/007-two-people.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from cds import approval, audit, registry
from cds.approval import Person, Verdict, asked, reason, require_another, settle, waiting
from cds.errors import BadInput
from cds.models import Ehr, EnabledService, StageChange
from cds.scorecard import scorecard

Stage = EnabledService.Stage
LADDER = tuple(Stage)


# --- Up ----------------------------------------------------------------------------------------------------------
def next_steps(here: EnabledService) -> list[Stage]:
    """What may be asked for: the next stage, a larger canary, or the stage at which it was switched off."""
    now = Stage(here.stage)
    steps = list(LADDER[LADDER.index(now) + 1 :][:1])
    if now == Stage.CANARY and here.canary_percent < 100:
        steps.insert(0, Stage.CANARY)
    if now == Stage.OFF and (stopped := _history(here).filter(verdict=Verdict.MADE, after=Stage.OFF).last()):
        steps += [Stage(stopped.before)] if Stage(stopped.before) not in {*steps, Stage.OFF} else []
    return steps


def ask(here: EnabledService, *, to: str, percent: int = 0, by: Person, why: str) -> StageChange:
    """Ask for a step up. At a test system, where no patient is, it is made at once."""
    with transaction.atomic():
        row = _locked(here.ehr, here.service_id)
        _require_step_up(row, to, percent)
        if earlier := _history(row).filter(verdict=Verdict.WAITING).first():
            raise BadInput(f"{earlier.asked_by} has asked for {earlier.after} already: that is decided first.")
        change = asked(_change(row, to, percent), by=by, why=why)
        change.save()
        _audit("ask-stage", change, by=by, why=change.why)
        if row.ehr.is_test:
            change.alone = True
            _make(change, row, by=by, why=change.why)
    return change


def approve(change: StageChange, *, by: Person, why: str, exception: str = "") -> None:
    """Make what somebody else asked for. `exception`: why it does not wait for the whole scorecard."""
    with transaction.atomic():
        change = waiting(change)
        require_another(change, by=by)
        row = _locked(change.ehr, change.service_id)
        if (row.stage, _percent(row)) != (change.before, change.percent_before):
            raise BadInput(f"The stage is {row.stage} by now: what was asked for began at {change.before}.")
        if change.after in {Stage.CANARY, Stage.LIVE}:
            _require_scorecard(change, row, exception)
        _make(change, row, by=by, why=reason(why))


def refuse(change: StageChange, *, by: Person, why: str) -> None:
    with transaction.atomic():
        change = approval.refuse(change, by=by, why=why)
        _audit("refuse-stage", change, by=by, why=change.decision)


def withdraw(change: StageChange, *, by: Person) -> None:
    """By whoever asked."""
    with transaction.atomic():
        change = approval.withdraw(change, by=by)
        _audit("withdraw-stage", change, by=by)


def _require_step_up(row: EnabledService, to: str, percent: int) -> None:
    if to not in next_steps(row):
        raise BadInput(f"From {row.stage} the next step is {' or '.join(next_steps(row)) or 'none'}.")
    if to == Stage.CANARY and not max(1, _percent(row) + 1) <= percent <= 100:
        raise BadInput(f"The share of users must be more than now ({_percent(row)} %) and at most 100 %.")


def _require_scorecard(change: StageChange, row: EnabledService, exception: str) -> None:
    """The scorecard as it is now stays with the decision."""
    card = scorecard(row)
    change.evidence = card.as_json()
    if card.lacking:
        if not exception.strip():
            raise BadInput(f"The scorecard is not complete: {'; '.join(card.lacking)}. Say why it need not be.")
        change.exception = reason(exception)


# --- Down --------------------------------------------------------------------------------------------------------
def lower(here: EnabledService, *, to: str, percent: int = 0, by: Person, why: str) -> None:
    """A step down, or a smaller canary: one person, at once. What was asked for is overtaken."""
    why = reason(why)
    with transaction.atomic():
        row = _locked(here.ehr, here.service_id)
        if _height(to, percent) >= _height(row.stage, _percent(row)):
            raise BadInput(f"{row.service_id} is {row.stage} already; a step down leads lower.")
        for overtaken in _history(row).filter(verdict=Verdict.WAITING):
            settle(overtaken, Verdict.WITHDRAWN, by=by, why=f"Overtaken: {why}"[:500])
        change = asked(_change(row, to, percent), by=by, why=why)
        change.alone = True
        _make(change, row, by=by, why=why)


def lower_steps(here: EnabledService) -> list[Stage]:
    """Any lower stage, or a smaller canary."""
    now = Stage(here.stage)
    smaller = [Stage.CANARY] if now == Stage.CANARY and here.canary_percent > 1 else []
    return [*LADDER[: LADDER.index(now)], *smaller]


def switch_off(ehr: Ehr, service_ids: Iterable[str], *, by: str, actor: str, reason: str) -> list[str]:
    """The services that were on and are off now. `by`: a name for people; `actor`: as the audit names them."""
    person = Person(name=by, key=actor)
    with transaction.atomic():
        rows = [_locked(ehr, service_id) for service_id in service_ids]
        on = [row for row in rows if row.stage != Stage.OFF]
        for row in on:
            lower(row, to=Stage.OFF, by=person, why=reason)
    return [row.service_id for row in on]


def hush(ehr: Ehr, *, by: Person, why: str) -> None:
    """Nothing of what is shown there is shown any longer: an EHR that was a test system is one no more."""
    for row in ehr.services.filter(stage__in=[Stage.CANARY, Stage.LIVE]):
        lower(row, to=Stage.SILENT, by=by, why=why)


def known_services(ehr: Ehr) -> dict[str, str]:
    """Each service that is installed or has a row here, and its stage; one without a row is silent."""
    stages = {service.id: str(Stage.SILENT) for service in registry.all_services()}
    return stages | dict(ehr.services.values_list("service_id", "stage"))


# --- What a step is ----------------------------------------------------------------------------------------------
def _locked(ehr: Ehr, service_id: str) -> EnabledService:
    row, _ = EnabledService.objects.select_for_update().get_or_create(ehr=ehr, service_id=service_id)
    row.ehr = ehr
    return row


def _history(row: EnabledService) -> QuerySet[StageChange]:
    return StageChange.objects.filter(ehr=row.ehr_id, service_id=row.service_id).order_by("pk")


def _height(stage: str, percent: int) -> tuple[int, int]:
    return LADDER.index(Stage(stage)), percent if stage == Stage.CANARY else 0


def _percent(row: EnabledService) -> int:
    return row.canary_percent if row.stage == Stage.CANARY else 0


def _change(row: EnabledService, to: str, percent: int) -> StageChange:
    return StageChange(
        ehr=row.ehr,
        service_id=row.service_id,
        before=row.stage,
        after=to,
        percent_before=_percent(row),
        percent=percent if to == Stage.CANARY else 0,
    )


def _make(change: StageChange, row: EnabledService, *, by: Person, why: str) -> None:
    """The stage, its history and its audit: all or none."""
    off = change.after == Stage.OFF
    row.stage = change.after
    row.canary_percent = change.percent or row.canary_percent
    row.off_reason, row.off_by, row.off_at = (why[:200], by.name[:150], timezone.now()) if off else ("", "", None)
    row.save(update_fields=["stage", "canary_percent", "off_reason", "off_by", "off_at"])
    settle(change, Verdict.MADE, by=by, why=why)
    up = _height(change.after, change.percent) > _height(change.before, change.percent_before)
    _audit("raise-stage" if up else "switch-off" if off else "lower-stage", change, by=by, why=why)


def _audit(action: str, change: StageChange, *, by: Person, why: str = "") -> None:
    detail: dict[str, Any] = {"before": change.before, "after": change.after}
    if change.percent or change.percent_before:
        detail |= {"percent_before": change.percent_before, "percent": change.percent}
    if change.exception:
        detail |= {"exception": change.exception[:200]}
    audit.record(action, actor=by.key, ehr=change.ehr, subject=change.service_id, reason=why[:200], **detail)

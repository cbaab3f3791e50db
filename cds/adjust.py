"""The settings of a service at an EHR: from which probability on it alerts, how often a card is shown, what is written.

While somebody is shown the service another setting takes two people, as a step up does; less writing takes one and is
done at once. Each change is a `SettingsChange` and an audit entry. Why: docs/decisions/007-two-people.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from cds import approval, audit
from cds.approval import Person, Verdict, asked, reason, require_another, settle, waiting
from cds.errors import BadInput, UnknownService
from cds.models import EnabledService, SettingsChange
from cds.simulate import Alerts, population

SETTINGS = ("threshold", "write_back", "cool_down_hours", "daily_budget")
NEEDS_SYSTEM_CLIENT = (
    "“Auto” writes without a clinician's session: first enter the EHR's system client id and test the connection."
)
_FORESEEN_DAYS = 30
_WRITES = tuple(EnabledService.WriteBackPolicy)  # from nothing to by itself
Values = Mapping[str, Any]  # of `SETTINGS`


def takes_two(here: EnabledService) -> bool:
    """Is anybody's patient concerned at once?"""
    return here.shown and not here.ehr.is_test


def adjust(here: EnabledService, *, to: Values, by: Person, why: str) -> list[SettingsChange]:
    """Change what one person may change, and ask another person for the rest. Raises BadInput where nothing differs."""
    why = reason(why)
    with transaction.atomic():
        row = _locked(here.ehr_id, here.service_id)
        wanted = {name: value for name, value in to.items() if value != getattr(row, name)}
        _require_possible(row, wanted)
        alone = {name: value for name, value in wanted.items() if not takes_two(row) or _is_less(row, name, value)}
        rest = {name: value for name, value in wanted.items() if name not in alone}
        return [
            *([_made_alone(row, alone, by=by, why=why)] if alone else []),
            *([_asked_for(row, rest, by=by, why=why)] if rest else []),
        ]


def approve(change: SettingsChange, *, by: Person, why: str) -> None:
    """Make what somebody else asked for; what a threshold would do stays with the decision."""
    with transaction.atomic():
        change = waiting(change)
        require_another(change, by=by)
        row = _locked(change.ehr_id, change.service_id)
        if any(getattr(row, name) != value for name, value in change.before.items()):
            raise BadInput("The settings are other ones by now than when this was asked for: refuse it.")
        _require_possible(row, change.after)
        change.evidence = [msgspec.to_builtins(one) for one in foreseen(row, change)] or None
        _make(change, row, by=by, why=reason(why))


def refuse(change: SettingsChange, *, by: Person, why: str) -> None:
    with transaction.atomic():
        change = approval.refuse(change, by=by, why=why)
        _audit("refuse-settings", change, by=by, why=change.decision)


def withdraw(change: SettingsChange, *, by: Person) -> None:
    """By whoever asked."""
    with transaction.atomic():
        change = approval.withdraw(change, by=by)
        _audit("withdraw-settings", change, by=by)


def history(here: EnabledService) -> QuerySet[SettingsChange]:
    """The newest first."""
    return SettingsChange.objects.filter(ehr=here.ehr_id, service_id=here.service_id).order_by("-pk")


def foreseen(here: EnabledService, change: SettingsChange) -> list[Alerts]:
    """What the threshold before and the one after would have done here lately; [] where it is not about a threshold."""
    if "threshold" not in change.after:
        return []
    try:
        people = population(here, days=_FORESEEN_DAYS)
    except UnknownService:
        return []
    own = people.service.threshold
    return [people.at(own if one is None else one) for one in (change.before["threshold"], change.after["threshold"])]


# --- What a change is --------------------------------------------------------------------------------------------
def _locked(ehr_id: int, service_id: str) -> EnabledService:
    rows = EnabledService.objects.select_for_update(of=("self",)).select_related("ehr")
    return rows.get(ehr=ehr_id, service_id=service_id)


def _require_possible(row: EnabledService, wanted: Values) -> None:
    if not wanted:
        raise BadInput("Nothing differs from what is in force.")
    if wanted.get("write_back") == EnabledService.WriteBackPolicy.AUTO and not row.ehr.system_client_id:
        raise BadInput(NEEDS_SYSTEM_CLIENT)
    for name, value in wanted.items():
        try:
            EnabledService._meta.get_field(name).clean(value, row)  # type: ignore[union-attr]
        except ValidationError as error:
            raise BadInput(" ".join(error.messages)) from error


def _is_less(row: EnabledService, name: str, value: Any) -> bool:
    """Less is written than now: hesitation would be the greater harm."""
    return name == "write_back" and _WRITES.index(value) < _WRITES.index(EnabledService.WriteBackPolicy(row.write_back))


def _change(row: EnabledService, to: Values, *, by: Person, why: str) -> SettingsChange:
    before = {name: getattr(row, name) for name in to}
    return asked(SettingsChange(ehr=row.ehr, service_id=row.service_id, before=before, after=dict(to)), by=by, why=why)


def _made_alone(row: EnabledService, to: Values, *, by: Person, why: str) -> SettingsChange:
    change = _change(row, to, by=by, why=why)
    change.alone = True
    _make(change, row, by=by, why=why)
    return change


def _asked_for(row: EnabledService, to: Values, *, by: Person, why: str) -> SettingsChange:
    if earlier := history(row).filter(verdict=Verdict.WAITING).first():
        raise BadInput(f"{earlier.asked_by} has asked for {earlier.step} already: that is decided first.")
    change = _change(row, to, by=by, why=why)
    change.save()
    _audit("ask-settings", change, by=by, why=why)
    return change


def _make(change: SettingsChange, row: EnabledService, *, by: Person, why: str) -> None:
    """The settings, their history and their audit: all or none."""
    for name, value in change.after.items():
        setattr(row, name, value)
    row.save(update_fields=list(change.after))
    settle(change, Verdict.MADE, by=by, why=why)
    _audit("change-settings", change, by=by, why=why)


def _audit(action: str, change: SettingsChange, *, by: Person, why: str = "") -> None:
    audit.record(
        action, actor=by.key, ehr=change.ehr, subject=change.service_id, reason=why[:200], changes=change.step[:500]
    )

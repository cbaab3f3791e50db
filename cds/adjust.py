"""The settings of a service at an EHR: from which probability on it alerts, how often a card is shown, what is written.

While somebody is shown the service another setting takes two people, as a step up does. Less writing, or a facility that is
switched off, takes one and is done at once. Each change is in the audit trail, and a `SettingsChange` unless it adds or
removes a facility.
Why: docs/decisions/007-two-people.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from cds import approval, audit
from cds.approval import Person, Verdict, asked, reason, require_another, settle, waiting
from cds.errors import BadInput, UnknownService
from cds.models import AtFacility, EnabledService, SettingsChange
from cds.simulate import Alerts, population

SETTINGS = ("threshold", "write_back", "cool_down_hours", "daily_budget")
AT_FACILITY = ("threshold", "off")
NEEDS_SYSTEM_CLIENT = (
    "“Auto” writes without a clinician's session: first enter the EHR's system client id and test the connection."
)
_FORESEEN_DAYS = 30
_WRITES = tuple(EnabledService.WriteBackPolicy)  # from nothing to by itself
Values = Mapping[str, Any]  # of `SETTINGS`, or of `AT_FACILITY`
Row = EnabledService | AtFacility


def takes_two(here: EnabledService) -> bool:
    """Is anybody's patient concerned at once?"""
    return here.shown and not here.ehr.is_test


def adjust(here: EnabledService, *, to: Values, by: Person, why: str, facility: str = "") -> list[SettingsChange]:
    """Change what one person may change, and ask another person for the rest. Raises BadInput where nothing differs.

    `facility`: the reference of one that has a row; else it is about the whole EHR.
    """
    why = reason(why)
    with transaction.atomic():
        row = _row(here.ehr_id, here.service_id, facility)
        wanted = {name: value for name, value in to.items() if value != getattr(row, name)}
        _require_possible(row, wanted)
        two = takes_two(_service_of(row))
        alone = {name: value for name, value in wanted.items() if not two or _is_less(row, name, value)}
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
        row = _row(change.ehr_id, change.service_id, change.facility)
        if any(getattr(row, name) != value for name, value in change.before.items()):
            raise BadInput("The settings are other ones by now than when this was asked for: refuse it.")
        _require_possible(row, change.after)
        change.evidence = [msgspec.to_builtins(one) for one in foreseen(_service_of(row), change)] or None
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
    own = here.threshold if change.facility and here.threshold is not None else people.service.threshold
    return [people.at(own if one is None else one) for one in (change.before["threshold"], change.after["threshold"])]


# --- Facilities --------------------------------------------------------------------------------------------------
def add(here: EnabledService, *, name: str, reference: str, by: Person) -> AtFacility:
    """A facility that may differ, and does not yet. From now on each call is asked where it happens."""
    with transaction.atomic():
        row = _locked(here.ehr_id, here.service_id)
        facility = AtFacility(here=row, name=name.strip(), reference=reference.strip())
        try:
            facility.full_clean()
        except ValidationError as error:
            raise BadInput(" ".join(error.messages)) from error
        facility.save()
        _count_facilities(row)
        audit.record("change-settings", actor=by.key, ehr=row.ehr, subject=row.service_id, added=facility.reference)
    return facility


def remove(here: EnabledService, *, facility: str, by: Person) -> None:
    """One that does not differ: so nothing changes for anybody."""
    with transaction.atomic():
        row = _locked(here.ehr_id, here.service_id)
        there = _facility(row, facility)
        if there.differs:
            raise BadInput("Give it the settings of the whole EHR first; then it can be removed.")
        if waits := history(row).filter(verdict=Verdict.WAITING, facility=facility).first():
            raise BadInput(f"{waits.asked_by} has asked for {waits.step}: that is decided first.")
        there.delete()
        _count_facilities(row)
        audit.record("change-settings", actor=by.key, ehr=row.ehr, subject=row.service_id, removed=facility)


def _count_facilities(row: EnabledService) -> None:
    row.by_facility = row.facilities.exists()
    row.save(update_fields=["by_facility"])


# --- What a change is --------------------------------------------------------------------------------------------
def _locked(ehr_id: int, service_id: str) -> EnabledService:
    rows = EnabledService.objects.select_for_update(of=("self",)).select_related("ehr")
    return rows.get(ehr=ehr_id, service_id=service_id)


def _row(ehr_id: int, service_id: str, facility: str) -> Row:
    """The service's row is locked, whichever of its facilities it is about."""
    here = _locked(ehr_id, service_id)
    return _facility(here, facility) if facility else here


def _facility(here: EnabledService, reference: str) -> AtFacility:
    there = here.facilities.filter(reference=reference).first()
    if there is None:
        raise BadInput(f"{reference} is not among the facilities of this service.")
    there.here = here
    return there


def _service_of(row: Row) -> EnabledService:
    return row.here if isinstance(row, AtFacility) else row


def _require_possible(row: Row, wanted: Values) -> None:
    if not wanted:
        raise BadInput("Nothing differs from what is in force.")
    automatic = wanted.get("write_back") == EnabledService.WriteBackPolicy.AUTO
    if automatic and not _service_of(row).ehr.system_client_id:
        raise BadInput(NEEDS_SYSTEM_CLIENT)
    for name, value in wanted.items():
        try:
            type(row)._meta.get_field(name).clean(value, row)  # type: ignore[union-attr]
        except ValidationError as error:
            raise BadInput(" ".join(error.messages)) from error


def _is_less(row: Row, name: str, value: Any) -> bool:
    """Less is written, or a facility is switched off: hesitation would be the greater harm."""
    if name == "write_back":
        return _WRITES.index(value) < _WRITES.index(getattr(row, name))
    return name == "off" and bool(value)


def _change(row: Row, to: Values, *, by: Person, why: str) -> SettingsChange:
    here = _service_of(row)
    change = SettingsChange(
        ehr=here.ehr,
        service_id=here.service_id,
        facility=row.reference if isinstance(row, AtFacility) else "",
        before={name: getattr(row, name) for name in to},
        after=dict(to),
    )
    return asked(change, by=by, why=why)


def _made_alone(row: Row, to: Values, *, by: Person, why: str) -> SettingsChange:
    change = _change(row, to, by=by, why=why)
    change.alone = True
    _make(change, row, by=by, why=why)
    return change


def _asked_for(row: Row, to: Values, *, by: Person, why: str) -> SettingsChange:
    if earlier := history(_service_of(row)).filter(verdict=Verdict.WAITING).first():
        raise BadInput(f"{earlier.asked_by} has asked for {earlier.step} already: that is decided first.")
    change = _change(row, to, by=by, why=why)
    change.save()
    _audit("ask-settings", change, by=by, why=why)
    return change


def _make(change: SettingsChange, row: Row, *, by: Person, why: str) -> None:
    """The settings, their history and their audit: all or none."""
    for name, value in change.after.items():
        setattr(row, name, value)
    if isinstance(row, AtFacility) and "off" in change.after:
        kept = (why[:200], by.name[:150], timezone.now()) if row.off else ("", "", None)
        row.off_reason, row.off_by, row.off_at = kept
    row.save()
    settle(change, Verdict.MADE, by=by, why=why)
    _audit("change-settings", change, by=by, why=why)


def _audit(action: str, change: SettingsChange, *, by: Person, why: str = "") -> None:
    audit.record(
        action, actor=by.key, ehr=change.ehr, subject=change.service_id, reason=why[:200], changes=change.step[:500]
    )

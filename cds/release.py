"""Which version of a model is in use, for all EHRs at once: another one takes two people, the way back takes one.

Rolling back is urgent, and leads only to what was in use before; so one person does it, with a reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from cds import approval, audit, registry
from cds.approval import Person, Verdict, asked, reason, require_another, settle, waiting
from cds.errors import BadInput
from cds.models import Ehr, EnabledService, ModelChange
from cds.scorecard import Scorecard, in_force, scorecard_of
from scoring import shelf, shipped
from scoring.errors import ScoringError
from scoring.models import ModelVersion

Kind, Status, Stage = ModelChange.Kind, ModelVersion.Status, EnabledService.Stage


def ask(version: ModelVersion, *, by: Person, why: str) -> ModelChange:
    """Ask that it be used."""
    with transaction.atomic():
        version = _locked(version)
        if version.status == Status.APPROVED:
            raise BadInput(f"{version.version} is in use already.")
        if earlier := version.changes.filter(verdict=Verdict.WAITING).first():
            raise BadInput(f"{earlier.asked_by} has asked for it already: that is decided first.")
        change = asked(ModelChange(version=version, before=shelf.in_use(version.name)), by=by, why=why)
        change.save()
        _audit("ask-model", change, by=by, why=change.why)
    return change


def approve(change: ModelChange, *, by: Person, why: str, exception: str = "") -> None:
    """Use it from the next question on. `exception`: why it is shown at once where no scorecard of it is complete."""
    with transaction.atomic():
        change = waiting(change)
        require_another(change, by=by)
        version = _locked(change.version)
        change.before = shelf.in_use(version.name)
        _require_scorecards(change, version, exception)
        names = f"{change.asked_by}, {by.name}"[:150]
        with _in_words():
            shelf.approve(version.name, version.version, by=names)
        settle(change, Verdict.MADE, by=by, why=reason(why))
        _audit("approve-model", change, by=by, why=change.decision)


def _require_scorecards(change: ModelChange, version: ModelVersion, exception: str) -> None:
    """They stay with the decision as they are now."""
    shown = shown_at(version)
    change.evidence = {str(here): card.as_json() for here, card in shown}
    if said := shortages(shown):
        if not exception.strip():
            raise BadInput(f"No complete scorecard of it: {'; '.join(said)}. Say why it need not be.")
        change.exception = reason(exception)


def refuse(change: ModelChange, *, by: Person, why: str) -> None:
    with transaction.atomic():
        change = approval.refuse(change, by=by, why=why)
        _audit("refuse-model", change, by=by, why=change.decision)


def withdraw(change: ModelChange, *, by: Person) -> None:
    with transaction.atomic():
        change = approval.withdraw(change, by=by)
        _audit("withdraw-model", change, by=by)


def roll_back(name: str, *, by: Person, why: str) -> ModelVersion:
    """Back to the version that was in use before, at once."""
    why = reason(why)
    with transaction.atomic():
        before = shelf.in_use(name)
        with _in_words():
            row = shelf.roll_back(name, by=by.name[:150])
        change = asked(ModelChange(kind=Kind.ROLL_BACK, version=row, before=before, alone=True), by=by, why=why)
        settle(change, Verdict.MADE, by=by, why=why)
        _audit("roll-back-model", change, by=by, why=why)
    return row


def retire(version: ModelVersion, *, by: Person, why: str) -> None:
    """A draft that nobody shall use: what was asked for it is refused with it."""
    with transaction.atomic():
        version = _locked(version)
        if version.status != Status.DRAFT or not by.approves:
            raise BadInput("Only a draft is put aside, by somebody with the role “clinical approver”.")
        for wish in version.changes.filter(verdict=Verdict.WAITING):
            settle(wish, Verdict.REFUSED, by=by, why=reason(why))
        ModelVersion.objects.filter(pk=version.pk).update(status=Status.RETIRED)
        change = asked(ModelChange(kind=Kind.RETIRE, version=version, alone=True), by=by, why=why)
        settle(change, Verdict.MADE, by=by, why=change.why)
        _audit("retire-model", change, by=by, why=change.why)


def adopt_shipped() -> None:
    """A release's model follows the release's model before it, unless somebody at a hospital is shown answers of that
    one: then two people decide. Called after `migrate`."""
    for row in shipped.successors():
        if not shown_at(row) and not row.changes.exists():
            shelf.approve(row.name, row.version, by=shipped.RELEASE)
            audit.record("adopt-model", actor=audit.US, subject=f"{row.name} {row.version}"[:100])


# --- Where it would be shown ---------------------------------------------------------------------------------------
Shown = list[tuple[EnabledService, Scorecard]]


def shown_at(version: ModelVersion) -> Shown:
    """Each service at a hospital that shows answers of this model, and what this very version has done there so far."""
    ids = [service.id for service in registry.all_services() if service.model == version.name]
    rows = EnabledService.objects.filter(
        service_id__in=ids, stage__in=[Stage.CANARY, Stage.LIVE], ehr__environment=Ehr.Environment.PRODUCTION
    )
    return [
        (here, scorecard_of(here, in_force(here, model_version=version.version)))
        for here in rows.select_related("ehr").order_by("ehr__name", "service_id")
    ]


def shortages(shown: Shown) -> list[str]:
    """In words, where this version has not been silent for long enough."""
    return [f"{here}: {', '.join(card.lacking)}" for here, card in shown if card.lacking]


# --- What a change is ------------------------------------------------------------------------------------------------
def _locked(version: ModelVersion) -> ModelVersion:
    return ModelVersion.objects.select_for_update().defer("artefact").get(pk=version.pk)


@contextmanager
def _in_words() -> Iterator[None]:
    """What the shelf refuses is said to whoever asked."""
    try:
        yield
    except ScoringError as error:
        raise BadInput(f"Nothing was changed: {error}.") from error


def _audit(action: str, change: ModelChange, *, by: Person, why: str = "") -> None:
    detail: dict[str, Any] = {"before": change.before.version if change.before else "", "after": change.version.version}
    if change.exception:
        detail |= {"exception": change.exception[:200]}
    audit.record(action, actor=by.key, subject=change.version.name, reason=why[:200], **detail)

"""Steer: one person asks for an experiment, another one approves it and so freezes its protocol; then start and stop."""

from __future__ import annotations

from typing import Any

import msgspec
from django.db import transaction
from django.utils import timezone

from cds import approval, audit, registry
from cds.approval import Person, Verdict, asked, reason, require_another, settle, waiting
from cds.errors import BadInput
from cds.experiments import looks
from cds.experiments.arms import stands
from cds.models import EnabledService, Experiment
from cds.protocol import Protocol
from cds.scorecard import in_force, scorecard_of
from scoring import shelf
from scoring.errors import ScoringError

Stage, Policy = EnabledService.Stage, EnabledService.WriteBackPolicy


def ask(here: EnabledService, protocol: Protocol, *, by: Person, why: str) -> Experiment:
    """At a test system, where no patient is, it is approved at once."""
    with transaction.atomic():
        here = _locked(here.pk)
        _require_possible(here, protocol)
        made = Experiment(ehr=here.ehr, service_id=here.service_id, written=msgspec.to_builtins(protocol))
        change = asked(made, by=by, why=why)
        change.save()
        _audit("ask-experiment", change, by=by, why=change.why)
        if here.ehr.is_test:
            change.alone = True
            _freeze(change, by=by, why=change.why)
    return change


def approve(change: Experiment, *, by: Person, why: str, exception: str = "") -> None:
    """Freeze the protocol. `exception`: why a version may be shown that has no complete scorecard here."""
    with transaction.atomic():
        change = waiting(change)
        require_another(change, by=by)
        if said := shortage(change):
            if not exception.strip():
                raise BadInput(f"{said} Say why it need not be.")
            change.exception = reason(exception)
        _freeze(change, by=by, why=reason(why))


def shortage(change: Experiment) -> str:
    """Of a version that is to be shown and was never silent here for long enough; "" where that is no question."""
    protocol, here = change.protocol, _at(change)
    if protocol.form != "variants" or here.ehr.is_test:
        return ""
    version = in_force(here, model_version=protocol.other.model_version)._replace(threshold=protocol.other.threshold)
    card = scorecard_of(here, version)
    return f"The scorecard of the other way is not complete: {'; '.join(card.lacking)}." if card.lacking else ""


def refuse(change: Experiment, *, by: Person, why: str) -> None:
    with transaction.atomic():
        change = approval.refuse(change, by=by, why=why)
        _audit("refuse-experiment", change, by=by, why=change.decision)


def withdraw(change: Experiment, *, by: Person) -> None:
    with transaction.atomic():
        change = approval.withdraw(change, by=by)
        _audit("withdraw-experiment", change, by=by)


def start(change: Experiment, *, by: Person, why: str) -> None:
    """From the next call on. Refused where the protocol is not the one that was approved."""
    with transaction.atomic():
        row = _row(change)
        here = _locked(_at(row).pk)
        if row.verdict != Verdict.MADE or row.started_at:
            raise BadInput(f"It is {row.state}: only what was approved is started, and once.")
        if not row.unchanged:
            raise BadInput("The protocol is not the one that was approved: nothing is started.")
        if here.experiment_id:
            raise BadInput("Another experiment on this service runs here: that one ends first.")
        _require_possible(here, row.protocol)
        row.started_at, row.started_by = timezone.now(), by.name[:150]
        row.save(update_fields=["started_at", "started_by"])
        EnabledService.objects.filter(pk=here.pk).update(experiment=row, drawn_by_place=row.protocol.by_place)
        _audit("start-experiment", row, by=by, why=reason(why))


def stop(change: Experiment, *, by: Person, why: str) -> None:
    """At once, by one person: everybody gets the way in force. Before its planned end it is early, and stays so."""
    with transaction.atomic():
        row = _row(change)
        if not row.running:
            raise BadInput(f"It is {row.state}: there is nothing to stop.")
        row.ended_at, row.ended_by, row.end_reason = timezone.now(), by.name[:150], reason(why)
        row.early = not looks.report(row).may_end
        row.save(update_fields=["ended_at", "ended_by", "end_reason", "early"])
        EnabledService.objects.filter(experiment=row).update(experiment=None, drawn_by_place=False)
        _audit("stop-experiment", row, by=by, why=row.end_reason, early=str(row.early))


def peek(change: Experiment, *, by: Person, why: str) -> None:
    """A look that was not planned: it stays in the report for good, with who looked and why."""
    with transaction.atomic():
        row = _row(change)
        if not row.started_at:
            raise BadInput("Nothing was counted yet.")
        seen = looks.peek(row, by=by.name, why=reason(why))
        row.peeks = [*row.peeks, msgspec.to_builtins(seen)]
        row.save(update_fields=["peeks"])
        _audit("peek-experiment", row, by=by, why=seen.why)


def _require_possible(here: EnabledService, protocol: Protocol) -> None:
    service = registry.get(here.service_id)
    draft = Experiment(ehr=here.ehr, service_id=here.service_id, written=msgspec.to_builtins(protocol))
    if not stands(here, service, draft):
        raise BadInput("What the protocol calls the way in force is not in force: ask anew with what is.")
    if protocol.form != "shadow" and here.stage != Stage.LIVE:
        raise BadInput(
            f"The service is {here.stage} here: only what is live is shown in two ways. Begin with a shadow."
        )
    if protocol.form == "withheld" and here.write_back == Policy.AUTO:
        raise BadInput("Results are written into charts by policy here: what is withheld would stand there.")
    if service.model is None and protocol.metric != "overridden":
        raise BadInput("This service has no model: nobody learns later what was true, so overrides are all there is.")
    _require_version(service.model, protocol.other.model_version)


def _require_version(model: str | None, version: str) -> None:
    try:
        if model:
            shelf.get(model, version)
    except ScoringError as error:
        raise BadInput(f"The other version cannot be used: {error}.") from error


def _freeze(change: Experiment, *, by: Person, why: str) -> None:
    change.sha256 = change.protocol.sha256
    settle(change, Verdict.MADE, by=by, why=why)
    _audit("approve-experiment", change, by=by, why=why, sha256=change.sha256)


def _row(change: Experiment) -> Experiment:
    return Experiment.objects.select_for_update().get(pk=change.pk)


def _at(change: Experiment) -> EnabledService:
    return EnabledService.objects.select_related("ehr").get(ehr=change.ehr_id, service_id=change.service_id)


def _locked(pk: int) -> EnabledService:
    return EnabledService.objects.select_for_update(of=("self",)).select_related("ehr").get(pk=pk)


def _audit(action: str, change: Experiment, *, by: Person, why: str = "", **more: Any) -> None:
    detail = {"service": change.service_id, "reason": why[:200], **more}
    if change.exception:
        detail |= {"exception": change.exception[:200]}
    audit.record(action, actor=by.key, ehr=change.ehr, subject=f"experiment {change.pk}", **detail)

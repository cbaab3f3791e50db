"""A new run: what is asked is settled now, so that an answer after a pause is an answer to the same question."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from cds import audit
from cds.errors import BadInput
from cds.models import Ehr, EnabledService, PopulationRun
from cds.service import DecisionService
from scoring import shelf


def open_run(  # noqa: PLR0913 -- the whole question, each part named
    service: DecisionService,
    *,
    source: PopulationRun.Source = PopulationRun.Source.FOLDER,
    detail: str = "",
    since: datetime | None = None,
    ehr: Ehr | None = None,
    as_of: datetime | None = None,
    writes: bool = True,
    engine: PopulationRun.Engine = PopulationRun.Engine.MACHINE,
    client: str = "",
    most_patients: int | None = None,
    asked_by: str = audit.US,
) -> PopulationRun:
    """Queued, with today's version of the model and the threshold of this EHR; nothing has been read yet.

    `detail`: the folder, or the group's id. `since`: of an EHR, only whose record changed later. `client`: the outside
    system that asks, about `most_patients` at most.
    """
    run = PopulationRun(
        ehr=ehr,
        model_name=service.model or "",
        **_question(service, ehr),
        as_of=as_of or timezone.now(),
        source=source,
        detail=detail,
        since=since,
        writes=writes,
        engine=engine,
        client=client,
        most_patients=most_patients,
        asked_by=asked_by,
    )
    with transaction.atomic():
        run.save()
        audit.record("sweep-ask", actor=asked_by, ehr=ehr, subject=str(run.pk), service=service.id, source=source)
    return run


def usual_group(ehr: Ehr) -> str:
    """The one that the EHR's page names; "" for everybody. Raises BadInput where it names several."""
    groups = ehr.population_groups.split()
    if len(groups) > 1:
        raise BadInput(f"{ehr} has several groups, and a run is about one of them (--group): {', '.join(groups)}.")
    return groups[0] if groups else ""


def heard_until(service: DecisionService, *, ehr: Ehr, detail: str = "") -> datetime | None:
    """By the EHR's clock, up to when the last finished run of this question knew the records; None if that is not known.

    Another version or threshold is another question: then everybody is to be asked.
    """
    same = PopulationRun.objects.filter(**_question(service, ehr), ehr=ehr, detail=detail, client="")
    done = same.filter(state=PopulationRun.State.DONE).exclude(export=None).exclude(export__transaction_time="")
    said = done.order_by("-created_at").values_list("export__transaction_time", flat=True).first()
    try:
        moment = datetime.fromisoformat(said or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _question(service: DecisionService, ehr: Ehr | None) -> dict[str, Any]:
    """Today's. Raises BadInput where the service is off."""
    here = _here(ehr, service)
    return {
        "service_id": service.id,
        "service_version": service.version,
        "model_version": shelf.active_version(service.model) if service.model else "",
        "threshold": here.threshold if here and here.threshold is not None else service.threshold,
    }


def _here(ehr: Ehr | None, service: DecisionService) -> EnabledService | None:
    row = EnabledService.objects.filter(ehr=ehr, service_id=service.id).first() if ehr else None
    if row and row.stage == EnabledService.Stage.OFF:
        raise BadInput(f"{service.id} is off at {ehr}: switch it on first")
    return row

"""A block's answers become rows in one transaction: results, counts, assessments of those who alert, what is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from cds import assess, writeback
from cds.context import PatientContext
from cds.finding import Outcome
from cds.merges import notice
from cds.models import Assessment, Ehr, EnabledService, Merge, PopulationResult, PopulationRun
from cds.population.fold import Answer, Asking
from cds.population.hand_out import hand_out
from cds.prepared import insert

_COUNTED = {outcome: outcome.replace("-", "_") for outcome in PopulationResult.Outcome.values}


class Overtaken(Exception):
    """Another process has answered this block already."""


@transaction.atomic
def keep(asking: Asking, answers: Sequence[Answer]) -> None:
    """All of it or nothing, so that who goes on after a crash scores and writes nobody twice. Raises Overtaken."""
    run = asking.run
    if PopulationRun.objects.select_for_update().get(pk=run.pk).done != run.done:
        raise Overtaken
    if run.ehr is not None:
        _notice(run, run.ehr, answers)
        _open_cases(asking, run.ehr, answers)
    if run.client:
        hand_out(asking, answers)
    PopulationResult.objects.bulk_create(answer.result for answer in answers)
    counts = Counter(_COUNTED[answer.result.outcome] for answer in answers)
    PopulationRun.objects.filter(pk=run.pk).update(**{name: F(name) + count for name, count in counts.items()})
    for name, count in counts.items():
        setattr(run, name, getattr(run, name) + count)


def _notice(run: PopulationRun, ehr: Ehr, answers: Iterable[Answer]) -> None:
    """As wherever a patient is read at the EHR. What others sent, or a folder of some day, is not its word of today."""
    if run.source not in {PopulationRun.Source.EXPORT, PopulationRun.Source.CRAWL}:
        return
    known = Merge.keys(ehr.pk)
    for answer in answers:
        links = answer.links
        if links and (links.into or links.replaces or answer.result.pseudonym in known):
            notice(ehr, links, at=run.as_of)
            if links.replaces and ehr.opted_out(links.patient_id):  # a no that has just come along
                answer.leave_out("opted-out")


def _open_cases(asking: Asking, ehr: Ehr, answers: Iterable[Answer]) -> None:
    """An assessment for everybody who is to be looked at or written about: page, review, replay and chart go on from it."""
    automatic = asking.run.writes and _writes_by_policy(ehr, asking.run.service_id)
    cases = {}
    for answer in answers:
        if answer.context is None or answer.outcome is None:
            continue
        if answer.result.alerts or (automatic and _keeps(asking, answer.outcome, answer.context)):
            case = _case(asking, ehr, answer.outcome, answer.context)
            cases[case.fingerprint] = (case, answer.result)
    if not cases:
        return
    Assessment.objects.bulk_create((case for case, _ in cases.values()), ignore_conflicts=True)
    _settle(cases)
    if automatic:
        writeback.automatic(Assessment.objects.filter(pk__in=[result.assessment_id for _, result in cases.values()]))


def _settle(cases: dict[str, tuple[Assessment, PopulationResult]]) -> None:
    """The same question may have been asked at a hook today: its row is the one that counts, and is answered now at last."""
    one = next(iter(cases.values()))[0]
    there = Assessment.objects.filter(ehr=one.ehr, service_id=one.service_id, fingerprint__in=cases)
    for pk, fingerprint in there.values_list("pk", "fingerprint"):
        case, result = cases[fingerprint]
        result.assessment_id = pk
        unanswered = Assessment.objects.filter(pk=pk).exclude(status=Assessment.Status.DONE)
        late = unanswered.update(status=case.status, result=case.result, finished_at=case.finished_at, failure="")
        if pk == case.pk or late:
            insert(assess.noted(case))


def _writes_by_policy(ehr: Ehr, service_id: str) -> bool:
    auto = {"write_back": EnabledService.WriteBackPolicy.AUTO, "stage": EnabledService.Stage.LIVE}
    return EnabledService.objects.filter(ehr=ehr, service_id=service_id, ehr__active=True, **auto).exists()


def _keeps(asking: Asking, outcome: Outcome, context: PatientContext) -> bool:
    """Has the service something for the chart?"""
    return bool(asking.service.records(outcome, context, assessment_id="", at=asking.now))


def _case(asking: Asking, ehr: Ehr, outcome: Outcome, context: PatientContext) -> Assessment:
    """Answered already."""
    version, threshold = asking.run.model_version, asking.run.threshold
    key = assess.fingerprint(asking.service, context, model_version=version, threshold=threshold)
    case = assess.ticket(ehr, asking.service, context, model_version=version, threshold=threshold, key=key)
    case.status, case.finished_at = Assessment.Status.DONE, timezone.now()
    case.result = msgspec.json.encode(outcome)
    return case

"""FHIR records as people to train and to measure on: sources of every recipe whose model a service asks.

`--data`: PATH of Bundles or Bulk Data; PATH@EHR where an EHR of ours exported them, so that its opt-outs and test
patients count; @EHR to read its server, with the token in FHIR_TOKEN.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from cds import audit, registry
from cds.cohort import Design, Question, build
from cds.connect import bearer_client
from cds.errors import CdsError
from cds.fhir.files import Chart, charts
from cds.fhir.patients import patients
from cds.models import Ehr
from cds.service import DecisionService
from scoring.cohorts import Cohort
from scoring.errors import CohortUnusable
from scoring.recipes import Recipe, offer

FOLLOWED = timedelta(days=365)
DESIGNS = {
    "fhir": Design(),
    "fhir-visit": Design(at_visit=True),
    "fhir-followed": Design(at_visit=True, followed=FOLLOWED),
}


def read(recipe: Recipe, data: str, *, design: Design) -> Cohort:
    """CohortUnusable in one sentence, whatever goes wrong on the way."""
    path, _, name = data.rpartition("@") if "@" in data else (data, "", "")
    ehr = _ehr(name) if name else None
    question = Question(service=_service(recipe), design=design, now=_now(ehr), ehr=ehr)
    try:
        cohort = build(question, _charts(path, question), features=recipe.features)
    except CdsError as error:
        raise CohortUnusable(str(error)) from error
    if ehr:
        audit.record("cohort", actor=audit.US, ehr=ehr, rows=len(cohort), left_out=sum(cohort.left_out.values()))
    return cohort


def _charts(path: str, question: Question) -> Iterable[Chart]:
    if path or question.ehr is None:
        return charts([Path(path)])
    return patients(bearer_client(question.ehr, settings.FHIR_TOKEN), question.service.needs)


def _ehr(name: str) -> Ehr:
    found = Ehr.objects.filter(name=name).first()
    if found is None:
        raise CohortUnusable(f"no EHR is called {name!r}")
    return found


def _service(recipe: Recipe) -> DecisionService:
    found = [service for service in registry.all_services() if service.model == recipe.model]
    if not found:
        raise CohortUnusable(f"no service asks {recipe.model}: nobody could read its features from a chart")
    return found[0]


def _now(ehr: Ehr | None) -> datetime:
    return ehr.now() if ehr else timezone.now().astimezone(ZoneInfo(settings.TIME_ZONE))


for _name, _design in DESIGNS.items():
    offer(_name, partial(read, design=_design))

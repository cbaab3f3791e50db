"""`manage.py assess PATH...`: a service on FHIR files, without any server."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from cds import registry
from cds.errors import CdsError, MergedPatient, MissingData
from cds.fhir.files import Chart, charts
from cds.fhir.read import Reader
from cds.finding import NotApplicable, Outcome
from cds.gather import assemble
from cds.service import DecisionService
from scoring.shelf import Model
from scoring.shipped import shipped_model


class Command(BaseCommand):
    """Prints one JSON object per patient: patient, outcome, rule, probability (a fraction), factors, missing, cards."""

    help = "Assess every patient in FHIR Bundles or a folder of Bulk Data NDJSON; one JSON object a line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--service", default="diabetes-risk")
        parser.add_argument("--at", help="assess as of this date-time (ISO 8601); default: now")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            service = registry.get(options["service"])
            model = shipped_model(service.model) if service.model else None
            now = self._now(options["at"])
            for chart in charts(options["paths"]):
                sys.stdout.write(msgspec.json.encode(line(service, chart, model=model, now=now)).decode() + "\n")
        except CdsError as error:
            raise CommandError(str(error)) from error

    def _now(self, at: str | None) -> Any:
        zone = ZoneInfo(settings.TIME_ZONE)
        if at is None:
            return timezone.now().astimezone(zone)
        try:
            moment = datetime.fromisoformat(at)
        except ValueError as error:
            raise CommandError("--at is not an ISO 8601 date-time") from error
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def line(service: DecisionService, chart: Chart, *, model: Model | None, now: Any) -> dict[str, Any]:
    """One patient's answer; what could not be read is an outcome too, and said."""
    reader = Reader(patient_id=chart.id, zone=now.tzinfo, names=frozenset(chart.names))
    try:
        context = assemble(service.needs, chart.readings(service.needs, reader), patient_id=chart.id, now=now)
    except MissingData as error:
        return _none(chart, type(error).__name__, rule=", ".join(error.keys))
    except MergedPatient as error:
        return _none(chart, type(error).__name__)
    if context.patient.restricted:
        return _none(chart, "Restricted")  # opened one by one and for a reason, never in a batch
    outcome = service.assess(context, model=model, threshold=service.threshold)
    return {"patient": chart.id, **_said(outcome), "cards": [card.summary for card in service.cards(outcome, context)]}


def _none(chart: Chart, outcome: str, *, rule: str = "") -> dict[str, Any]:
    """An answer that is none, with every member that an answer has."""
    empty: dict[str, Any] = {"probability": None, "factors": [], "missing": [], "cards": []}
    return {"patient": chart.id, "outcome": outcome, "rule": rule, **empty}


def _said(outcome: Outcome) -> dict[str, Any]:
    estimate = None if isinstance(outcome, NotApplicable) else outcome.estimate
    return {
        "outcome": type(outcome).__name__,
        "rule": outcome.rule,
        "probability": round(estimate.probability, 4) if estimate else None,
        "factors": [] if estimate is None else [_factor(factor) for factor in estimate.factors],
        "missing": [] if isinstance(outcome, NotApplicable) else [missing.label for missing in outcome.missing],
    }


def _factor(factor: Any) -> dict[str, Any]:
    return {
        "label": factor.label,
        "value": factor.quantity.value if factor.quantity else factor.text,
        "unit": factor.quantity.unit if factor.quantity else "",
        "date": factor.when.text if factor.when else "",
        "log_odds": round(factor.contribution, 4),
    }

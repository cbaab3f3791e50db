"""`manage.py replay ASSESSMENT`, and `--against VERSION --service S [--since D]` for all that was asked."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from cds import audit, registry
from cds.errors import CdsError
from cds.models import Assessment
from cds.rehearse import BANDS, Rehearsal, recorded, rehearse
from cds.replay import Replay, Said, Verdict, as_of_today, replay
from scoring.management.plainly import plainly
from scoring.plots import THEMES, svg
from scoring.watch_plots import agreement

# 1 is a command that could not be carried out, 2 one that was not understood.
EXIT = {
    Verdict.SAME: 0,
    Verdict.CODE: 3,
    Verdict.FACTS: 4,
    Verdict.MODEL: 5,
    Verdict.THRESHOLD: 6,
    Verdict.UNFINISHED: 7,
    Verdict.UNEXPLAINED: 8,
}


class Command(BaseCommand):
    """Prints what was said and no one's name. Who looks is audited."""

    help = (
        "Replay one answer: same facts, same model, same card, or the difference explained. Exit status: 0 same; other "
        "code 3, facts gone 4, other model or none 5, other threshold 6, no answer then 7, unexplained 8. "
        "With --against: put all recorded requests of a service to another version of its model."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("assessment", nargs="?", help="the assessment's id")
        parser.add_argument("--today", action="store_true", help="with today's threshold and model")
        parser.add_argument("--against", metavar="VERSION", help="of the service's model, on the shelf")
        parser.add_argument("--service", help="its id, for --against")
        parser.add_argument("--since", help="only what was asked on or after this day (ISO 8601)")
        parser.add_argument("--plot", type=Path, help="write the table of both versions as SVG")
        parser.add_argument("--json", type=Path, help="write the figures as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["assessment"]) == bool(options["against"]):
            raise CommandError("Name either an assessment or, with --against, a version.")
        with plainly():
            if options["against"]:
                self._against(options)
            else:
                self._one(options["assessment"], today=options["today"])

    def _one(self, assessment_id: str, *, today: bool) -> None:
        try:
            assessment = Assessment.objects.defer("snapshot", "result").select_related("ehr").get(pk=assessment_id)
        except (Assessment.DoesNotExist, ValidationError) as error:
            raise CommandError("There is no assessment of this id.") from error
        audit.record(
            "replay",
            actor=f"operator {getpass.getuser()}"[:64],
            ehr=assessment.ehr,
            patient_key=assessment.patient_key,
            subject=str(assessment.pk),
        )
        found = as_of_today(assessment) if today else replay(assessment)
        self.stdout.write("\n".join(told(found)))
        if EXIT[found.verdict]:
            sys.exit(EXIT[found.verdict])

    def _against(self, options: dict[str, Any]) -> None:
        try:
            service = registry.get(options["service"] or "")
            ids = recorded(service, since=_day(options["since"]))
            actor = f"operator {getpass.getuser()}"[:64]
            audit.record(
                "rehearse", actor=actor, subject=f"{service.id} {options['against']}"[:100], assessments=len(ids)
            )
            with tqdm(total=len(ids), disable=None, unit="answer") as progress:
                found = rehearse(service, ids, version=options["against"], tick=progress.update)
        except CdsError as error:
            raise CommandError(str(error)) from error
        self.stdout.write("\n".join(summary(found)))
        if options["plot"]:
            spec = agreement(found.bands, BANDS, theme=THEMES["light"])
            options["plot"].write_text(svg(spec, THEMES["light"]), encoding="utf-8")
        if options["json"]:
            options["json"].write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError("--since is not an ISO 8601 date") from error
    return moment if moment.tzinfo else timezone.make_aware(moment)


def told(found: Replay) -> list[str]:
    """For the terminal."""
    lines = [f"{found.verdict}: {' '.join(found.why)}" if found.why else str(found.verdict)]
    lines += [f"  {name}: {line}" for name, said in (("then", found.then), ("now", found.now)) for line in _lines(said)]
    return lines + [f"  differs: {difference}" for difference in found.differences]


def _lines(said: Said | None) -> list[str]:
    if said is None:
        return []
    number = f", {said.probability:.4f}" if said.probability is not None else ""
    return [f"{said.outcome}, rule {said.rule}{number}", *(f"card: {card}" for card in said.cards or ("none",))]


def summary(found: Rehearsal) -> list[str]:
    """Counts only: nobody can be recognised."""
    versions = ", ".join(f"{count} by {version or 'no model'}" for version, count in sorted(found.recorded.items()))
    lines = [f"{found.asked} recorded answers of {found.service} ({versions or 'none'}) put to version {found.version}"]
    if found.unreadable:
        lines.append(f"{found.unreadable} could not be read and were left out")
    lines.append(f"scored by both         {found.scored:>7}, {found.same} with the same probability")
    if found.differences:
        least, low, middle, high, greatest = (f"{100 * one:+.2f}" for one in found.differences)
        lines.append(
            f"difference in points   median {middle}, half between {low} and {high}, all between {least} and {greatest}"
        )
    lines.append(f"over the threshold     {found.up:>7} newly, {found.down} no more")
    lines += [f"card: {fate:<16} {count:>7}" for fate, count in found.cards.items()]
    return lines + [f"rule: {change:<40} {count:>7}" for change, count in found.rules.items()]

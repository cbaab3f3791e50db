"""`manage.py score_population`: a service is asked about everybody in a folder of Bulk Data NDJSON, or at an EHR."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count
from django.utils import timezone
from tqdm import tqdm

from cds import registry
from cds.bulk.accounts import unused
from cds.errors import CdsError
from cds.models import Ehr, PopulationResult, PopulationRun
from cds.population import (
    Busy,
    Engine,
    Fetching,
    Reading,
    cancel,
    heard_until,
    open_run,
    pause,
    resume,
    sweep,
    usual_group,
)
from cds.population.intake import CUT_OFF
from cds.population.lines import BROKEN
from scoring.errors import ScoringError

Source, State = PopulationRun.Source, PopulationRun.State


class Command(BaseCommand):
    """Ctrl-C pauses; the same command goes on with what was left. At the end everybody is accounted for."""

    help = "Ask a service about everybody in a folder of Bulk Data, or at an EHR; stopped anywhere, the same command goes on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", help="a folder of NDJSON, gzipped or not")
        parser.add_argument("--service", default="diabetes-risk")
        parser.add_argument("--ehr", help="whose patients they are; without a folder, their records are fetched there")
        parser.add_argument(
            "--group", help="the id of a Group at the EHR; default: the one on the EHR's page, or everybody"
        )
        parser.add_argument("--crawl", action="store_true", help="fetch by ordinary search, even if there is an export")
        parser.add_argument(
            "--since",
            metavar="WHEN",
            help="only whose record changed later, by the EHR's export; a date-time (ISO 8601), or “last”: since the "
            "last finished run of the same question. Who is due by time alone is found by asking about everybody",
        )
        parser.add_argument("--at", help="judge the record as of this date-time (ISO 8601); default: now")
        parser.add_argument("--out", type=Path, help="write the answers as NDJSON, one line a patient")
        parser.add_argument("--resume", metavar="RUN", help="the id of a run that was stopped")
        parser.add_argument(
            "--pause", metavar="RUN", help="stop that run after the block under way, whoever works on it"
        )
        parser.add_argument("--cancel", metavar="RUN", help="stop it for good; what is answered is kept")
        parser.add_argument("--why", default="", help="the reason, for --pause and --cancel")
        parser.add_argument("--anew", action="store_true", help="begin again, even if such a run was stopped")
        parser.add_argument("--engine", choices=PopulationRun.Engine.values, default=PopulationRun.Engine.MACHINE)
        parser.add_argument("--master", default="local[*]", help="Spark's master; with --engine spark")
        parser.add_argument("--worklist-only", action="store_true", help="write nothing back, whatever the policy")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["pause"] or options["cancel"]:
            self._stop(options)
            return
        if options["out"]:
            _require_place(options["out"])
        try:
            run = self._run(options)
            self._sweep(run, _engine(run, options))
        except (CdsError, ScoringError) as error:
            raise CommandError(str(error)) from error
        self._account(run)
        if options["out"] and run.state == State.DONE:
            _write(run, options["out"])
        if run.state == State.FAILED:
            raise CommandError(f"{run.error} What is answered is kept; the same command goes on.")
        if run.state == State.DONE and run.source == Source.FOLDER and not run.patients:
            raise CommandError("There is no Patient in this folder that could be read: nobody was asked about.")

    def _stop(self, options: dict[str, Any]) -> None:
        """Another process may work on it; where none does, it stops here."""
        run, verb = _named(options["pause"] or options["cancel"]), pause if options["pause"] else cancel
        if not options["why"]:
            raise CommandError("Say why with --why: it stands in the audit trail.")
        if not verb(run, why=options["why"], actor=getpass.getuser()):
            raise CommandError(f"The run is {run.get_state_display().lower()}: there is nothing to stop.")
        with suppress(Busy):
            for _ in sweep(run, run.folder):  # takes note of the wish
                pass
        run.refresh_from_db()
        self.stdout.write(f"Run {run.pk} is {run.get_state_display().lower()}, and is to {run.wish}.")

    def _run(self, options: dict[str, Any]) -> PopulationRun:
        """The one that was named, or the unfinished one of this folder and question, or a new one."""
        ehr = _ehr(options["ehr"])
        if not (options["source"] or options["resume"] or ehr):
            raise CommandError("Name a folder with --source, an EHR with --ehr, or a run with --resume.")
        run = _named(options["resume"]) if options["resume"] else None
        if run is None and not options["anew"]:
            run = _stopped(options, ehr)
        if run is not None:
            _require_same(run, options, ehr)
            resume(run, why="score_population", actor=getpass.getuser())
            run.refresh_from_db()
            self.stderr.write(f"Run {run.pk} goes on, as of {run.as_of.isoformat(timespec='minutes')}.")
            return run
        run = open_run(
            registry.get(options["service"]),
            **_whom(options, ehr),
            ehr=ehr,
            as_of=_moment(options["at"], ehr) if options["at"] else timezone.now(),
            writes=not options["worklist_only"],
            engine=options["engine"],
            asked_by=getpass.getuser(),
        )
        self.stderr.write(f"Run {run.pk}.")
        return run

    def _sweep(self, run: PopulationRun, engine: Engine | None) -> None:
        with tqdm(unit=" patients", desc="reading", smoothing=0.05) as bar:
            try:
                for step in sweep(run, run.folder, engine=engine):
                    if isinstance(step, Fetching):
                        bar.set_description(f"fetching: {step.words}")
                        continue
                    if isinstance(step, Reading):
                        bar.set_description(f"reading {step.file}, line {step.line:,}")
                        continue
                    bar.set_description("scored")
                    bar.total = step.of
                    bar.update(step.done - bar.n)
            except KeyboardInterrupt:
                pause(run, why="Ctrl-C", actor=getpass.getuser())
                for _ in sweep(run, run.folder):  # takes note of the wish
                    pass

    def _account(self, run: PopulationRun) -> None:
        """How many there were and what became of each; the parts add up to the whole."""
        run.refresh_from_db()
        counts = (
            run.results.values_list("outcome", "reason").annotate(people=Count("pk")).order_by("outcome", "-people")
        )
        self.stdout.write(f"{run.patients if run.patients is not None else '?':>9}  patients")
        for outcome in PopulationResult.Outcome:
            rows = [(reason, people) for kind, reason, people in counts if kind == outcome]
            self.stdout.write(f"{sum(people for _, people in rows):>9}  {outcome.label.lower()}")
            for reason, people in rows:
                self.stdout.write(f"{people:>18}  {reason}")
        if run.patients and run.done < run.patients:
            self.stdout.write(f"{run.patients - run.done:>9}  not asked yet")
        for file, account in unused(run):
            for reason, lines in sorted(account.flaws.items()):
                self.stdout.write(f"{lines:>9}  of {account.lines} lines of {file} not used: {reason}")
            if {BROKEN, CUT_OFF} & account.flaws.keys():
                self.stdout.write(f"           {file} was cut off: answers may lack what should follow there.")
        self.stdout.write(f"Run {run.pk} is {run.get_state_display().lower()}.")


def _ehr(name: str | None) -> Ehr | None:
    if not name:
        return None
    ehr = Ehr.objects.filter(name=name).first()
    if ehr is None:
        raise CommandError(f"There is no EHR called {name}.")
    return ehr


def _require_place(out: Path) -> None:
    """Before hours of work, not after them."""
    if out.is_dir() or not out.parent.is_dir():
        raise CommandError(f"--out takes a file in a folder that is there; {out} cannot be written.")


def _require_same(run: PopulationRun, options: dict[str, Any], ehr: Ehr | None) -> None:
    """What it began with stays."""
    if options["at"] and _moment(options["at"], ehr) != run.as_of:
        raise CommandError(f"This run began with --at {run.as_of.isoformat()}; go on with that, or begin --anew.")
    if options["worklist_only"] and run.writes:
        raise CommandError("This run began without --worklist-only; go on without it, or begin --anew.")


def _engine(run: PopulationRun, options: dict[str, Any]) -> Engine | None:
    """As the run began; Spark is imported only where it is asked for."""
    if run.engine != options["engine"]:
        raise CommandError(f"This run began with --engine {run.engine}; go on with that, or begin --anew.")
    if run.engine == PopulationRun.Engine.MACHINE:
        return None
    from cds.spark.engine import on_spark

    return partial(on_spark, master=options["master"])


def _folder(source: str) -> str:
    folder = Path(source).resolve()
    if not folder.is_dir():
        raise CommandError(f"{source} is not a folder.")
    return str(folder)


def _named(run_id: str) -> PopulationRun:
    try:
        run = PopulationRun.objects.filter(pk=run_id).select_related("ehr").first()
    except ValidationError as error:
        raise CommandError("That is not the id of a run.") from error
    if run is None:
        raise CommandError("There is no such run.")
    return run


def _whom(options: dict[str, Any], ehr: Ehr | None) -> dict[str, Any]:
    """Of a run, where its patients come from."""
    if options["source"] or ehr is None:
        if options["since"]:
            raise CommandError("Only an EHR says who changed: --since goes with --ehr, and without --source.")
        return {"source": Source.FOLDER, "detail": _folder(options["source"])}
    source, detail = Source.CRAWL if options["crawl"] else Source.EXPORT, options["group"] or usual_group(ehr)
    return {"source": source, "detail": detail, "since": _since(options, ehr, detail)}


def _since(options: dict[str, Any], ehr: Ehr, detail: str) -> datetime | None:
    if options["since"] and options["crawl"]:
        raise CommandError("Only an export says who changed: --since goes without --crawl.")
    if options["since"] != "last":
        return _moment(options["since"], ehr, name="--since") if options["since"] else None
    found = heard_until(registry.get(options["service"]), ehr=ehr, detail=detail)
    if found is None:
        raise CommandError("No finished run asked the same, by an export that says when it was: go without --since.")
    return found


def _stopped(options: dict[str, Any], ehr: Ehr | None) -> PopulationRun | None:
    """The same question, if it is not answered for everybody since."""
    whom = _whom(options, ehr)
    sources = [Source.FOLDER] if whom["source"] == Source.FOLDER else [Source.EXPORT, Source.CRAWL]
    runs = PopulationRun.objects.filter(
        source__in=sources, detail=whom["detail"], since=whom.get("since"), ehr=ehr, service_id=options["service"]
    )
    newest = runs.exclude(state=State.CANCELLED).order_by("-created_at").first()
    return newest if newest and newest.state != State.DONE else None


def _moment(at: str, ehr: Ehr | None, *, name: str = "--at") -> datetime:
    try:
        moment = datetime.fromisoformat(at)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=ehr.zone if ehr else ZoneInfo(settings.TIME_ZONE))
        zoned.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise CommandError(f"{name} is not an ISO 8601 date-time.") from error
    return zoned


def _write(run: PopulationRun, out: Path) -> None:
    """One line a patient, for its owner's eyes only; whole or not at all."""
    part = out.with_name(out.name + ".part")
    part.touch(mode=0o600)
    with part.open("wb") as stream:
        for line in _lines(run):
            stream.write(line + b"\n")
    part.replace(out)


def _lines(run: PopulationRun) -> Iterator[bytes]:
    for row in run.results.order_by("pk").iterator():
        said = {"outcome": row.outcome, "reason": row.reason, "probability": row.probability, "alerts": row.alerts}
        who = row.patient_id.decode() if row.patient_id and not row.left else None
        yield msgspec.json.encode({"patient": who, "pseudonym": row.pseudonym, **said})

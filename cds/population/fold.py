"""What one record says, by the fold of the hook path; nobody is scored who must not be, and nobody is left out unsaid."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence, Set
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.crypto import salted_hmac

from cds import registry
from cds.context import PatientContext
from cds.errors import CdsError, MergedPatient, MissingData, ProtectedData
from cds.fhir.files import Chart
from cds.fhir.read import Reader
from cds.fhir.versions import names_of
from cds.finding import NotApplicable, NotEnoughData, Outcome
from cds.gather import assemble
from cds.labels import kept_out
from cds.merges import Links
from cds.models import Ehr, Export, OptOut, PopulationResult, PopulationRun
from cds.needs import Need
from cds.population import panels
from cds.service import DecisionService
from scoring import shelf
from scoring.shelf import Model

logger = logging.getLogger(__name__)

_Said = PopulationResult.Outcome
_OF_THE_EHR = ("id", "name", "environment", "time_zone", "test_patients", "labels_read")


@dataclass(kw_only=True)
class Answer:
    """One patient's row, and what it was made of where there is something to show."""

    result: PopulationResult
    patient_id: str
    context: PatientContext | None = None
    outcome: Outcome | None = None
    links: Links | None = None  # None: the record was not read

    def leave_out(self, reason: str) -> None:
        """Whatever was said of them."""
        self.context = self.outcome = None
        kept = {"run": self.result.run, "pseudonym": self.result.pseudonym}
        self.result = PopulationResult(**kept, outcome=_Said.NOT_APPLICABLE, reason=reason)


@dataclass(kw_only=True)
class Asking:
    """A run's question, ready to be put to one chart after the other.

    Where no database can be asked, `opted_out` and `answered` say of whom nothing is wanted, by pseudonym.
    """

    run: PopulationRun
    opted_out: frozenset[str] | None = None
    answered: frozenset[str] = frozenset()
    lists: panels.Lists = field(default_factory=dict)
    service: DecisionService = field(init=False)
    now: datetime = field(init=False)
    model: Model | None = field(init=False)
    read: tuple[Need, ...] = field(init=False)
    refused: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        run = self.run
        self.service = registry.get(run.service_id)
        self.now = run.as_of.astimezone(run.ehr.zone if run.ehr else ZoneInfo(settings.TIME_ZONE))
        self.model = shelf.get(run.model_name, run.model_version) if run.model_name else None
        self.read = tuple(_read_of(self.service.needs, run))
        self.refused = frozenset(path.read_text().strip() for path in (run.spool / "refused").glob("*"))

    def apart(self, answered: Iterable[str] = ()) -> Asking:
        """The same question for other processes: picklable, it asks no database and carries no secret of the EHR."""
        opted_out, there = frozenset[str](), copy(self.run)
        if self.run.ehr is not None:
            opted_out = frozenset(OptOut.objects.filter(ehr=self.run.ehr).values_list("patient_key", flat=True))
            there.ehr = Ehr(**{name: getattr(self.run.ehr, name) for name in _OF_THE_EHR})
        return Asking(run=there, opted_out=opted_out, answered=frozenset(answered), lists=self.lists)

    def spare(self, answers: Sequence[Answer]) -> None:
        """Whoever said no while another process was at it."""
        opted_out = self._opted_out({answer.result.pseudonym for answer in answers})
        for answer in answers:
            if answer.result.pseudonym in opted_out:
                answer.leave_out("opted-out")

    def answers(self, charts: Sequence[Chart]) -> list[Answer]:
        """Of a block: every record first, then the model for all of them at once, then the service for each."""
        opted_out = self._opted_out({self.pseudonym(chart.id) for chart in charts})
        block = [self._read(chart, opted_out) for chart in charts]
        rows = [row for answer in block if answer.context and (row := self._row(answer, answer.context)) is not None]
        model = self.model.foreseeing(rows) if self.model else None
        for answer in block:
            if answer.context is not None:
                self._decide(answer, answer.context, model)
        return block

    def _read(self, chart: Chart, opted_out: frozenset[str]) -> Answer:
        pseudonym = self.pseudonym(chart.id)
        answer = Answer(result=PopulationResult(run=self.run, pseudonym=pseudonym), patient_id=chart.id)
        if pseudonym in opted_out:
            return _without(answer, _Said.NOT_APPLICABLE, "opted-out")
        if self._is_test(chart.id):
            return _without(answer, _Said.NOT_APPLICABLE, "test-patient")
        if chart.id in self.refused:
            return _without(answer, _Said.FAILED, "refused by the EHR")
        if chart.cut:
            return _without(answer, _Said.FAILED, "too-large")
        try:
            context = self._context(chart)
        except MergedPatient as error:
            answer.links = Links(chart.id, into=error.into)
            return _without(answer, _Said.NOT_APPLICABLE, "merged")
        except ProtectedData:
            return _without(answer, _Said.NOT_ENOUGH_DATA, "protected")
        except MissingData as error:
            return _without(answer, _Said.FAILED, f"unreadable: {', '.join(error.keys)}")
        except CdsError as error:
            return _without(answer, _Said.FAILED, type(error).__name__)
        answer.links = Links(chart.id, replaces=context.replaces)
        if context.patient.restricted:
            return _without(answer, _Said.NOT_APPLICABLE, "restricted")  # opened one by one, for a reason
        answer.context = context
        self._describe(answer.result, chart, context)
        return answer

    def _context(self, chart: Chart) -> PatientContext:
        """The same fold as that of a hook and of `manage.py assess`."""
        out = kept_out(except_for=self.run.ehr.labels_read if self.run.ehr else "")
        zone, needs = self.now.tzinfo, self.service.needs
        reader = Reader(patient_id=chart.id, zone=zone, names=frozenset(chart.names), kept_out=out)  # type: ignore[arg-type]
        return assemble(needs, chart.readings(self.read, reader), patient_id=chart.id, now=self.now)

    def _describe(self, result: PopulationResult, chart: Chart, context: PatientContext) -> None:
        """What a worklist is sorted and filtered by."""
        result.patient_id = chart.id.encode()
        result.age, result.sex = context.age, context.patient.sex
        tests = [context.all(key)[:1] for key in (self.service.trends[0].analytes if self.service.trends else ())]
        result.last_test = max((facts[0].when.day for facts in tests if facts), default=None)
        panels.describe(result, chart.resources["Patient"][0], self.lists.get(chart.id, ()))

    def _row(self, answer: Answer, context: PatientContext) -> tuple[float, ...] | None:
        try:
            return self.service.row(context)
        except Exception as error:  # the outermost edge of the work: one patient must not stop all others
            logger.exception("run %s: the row of a patient could not be made", self.run.pk)
            _broke(answer, error)
            return None

    def _decide(self, answer: Answer, context: PatientContext, model: Model | None) -> None:
        try:
            outcome = self.service.assess(context, model=model, threshold=self.run.threshold)
        except Exception as error:  # the outermost edge: whatever a plug-in raises becomes a visible failure
            logger.exception("run %s: a patient could not be assessed", self.run.pk)
            _broke(answer, error)
            return
        answer.outcome = outcome
        result = answer.result
        result.outcome, result.reason = _said(outcome), outcome.rule
        if not isinstance(outcome, NotApplicable):
            result.alerts = outcome.alert
            result.probability = outcome.estimate.probability if outcome.estimate else None

    def _opted_out(self, pseudonyms: Set[str]) -> frozenset[str]:
        """Who of them said no, asked for anew with every block where that can be."""
        if self.opted_out is not None:
            return self.opted_out
        if self.run.ehr is None:
            return frozenset()
        found = OptOut.objects.filter(ehr=self.run.ehr, patient_key__in=pseudonyms)
        return frozenset(found.values_list("patient_key", flat=True))

    def _is_test(self, patient_id: str) -> bool:
        """In a test EHR everybody is invented, and answered; in a production record only those who are not."""
        ehr = self.run.ehr
        return ehr is not None and not ehr.is_test and ehr.is_invented(patient_id)

    def pseudonym(self, patient_id: str) -> str:
        """Of a folder without an EHR, the run is whose patient it is."""
        if self.run.ehr:
            return self.run.ehr.pseudonym(patient_id)
        return salted_hmac("cds.patient", f"run {self.run.pk}|{patient_id}", algorithm="sha256").hexdigest()


def _read_of(needs: Iterable[Need], run: PopulationRun) -> Iterator[Need]:
    """Of what the EHR did not grant or does not have, nothing is known; a folder is the whole record."""
    export = Export.objects.filter(run=run).first()
    for need in needs:
        if export is None or any(name in export.kinds for name in names_of(need.resource)):
            yield need


def _without(answer: Answer, outcome: PopulationResult.Outcome, reason: str) -> Answer:
    """Of whom nothing could be said the id is kept, for somebody to look."""
    answer.result.outcome, answer.result.reason = outcome, reason[:100]
    if outcome == _Said.FAILED:
        answer.result.patient_id = answer.patient_id.encode()
    return answer


def _broke(answer: Answer, error: Exception) -> None:
    answer.context = None
    _without(answer, _Said.FAILED, type(error).__name__)


def _said(outcome: Outcome) -> PopulationResult.Outcome:
    if isinstance(outcome, NotApplicable):
        return _Said.NOT_APPLICABLE
    return _Said.NOT_ENOUGH_DATA if isinstance(outcome, NotEnoughData) else _Said.SCORED

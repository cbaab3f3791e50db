"""A cohort out of FHIR: for a service's model, what it would have seen of each patient at an index time, and what was true.

Features are made by the service's own `row` from the record as it stood before the index (cds.fhir.past), labels by its
own `truth` from the whole record. Patients who opted out, test patients and restricted charts are not in it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
from msgspec import Struct

from cds.context import PatientContext
from cds.errors import MergedPatient, MissingData, ProtectedData
from cds.facts import When
from cds.fhir.files import Chart
from cds.fhir.past import PastReader
from cds.fhir.read import Reader
from cds.gather import assemble
from cds.labels import kept_out
from cds.models import Ehr
from cds.service import DecisionService
from scoring.cohorts import Cohort, content_hash, texts

SOURCE = "FHIR"
AGE_BANDS = {0: "under 18", 18: "18-39", 40: "40-59", 60: "60-74", 75: "75+"}
RACES = {"2106-3": "white", "2054-5": "black", "2028-9": "asian", "1002-5": "american indian"}  # CDC race and ethnicity


@dataclass(frozen=True, kw_only=True)
class Design:
    """When each patient is asked about.

    `at_visit`: at the last encounter before the truth came out; else the day before it came out, so that whatever was
    measured on that occasion is not among the features. `followed`: who has no truth, but a record for so long after a
    visit, counts as not ill; without it nobody is labelled whose truth is not known.
    """

    at_visit: bool = False
    followed: timedelta | None = None


class Case(Struct, frozen=True, kw_only=True):
    """One patient at the index time."""

    row: tuple[float, ...]
    label: bool
    person: str
    index: datetime
    sex: str
    age: int
    race: str


class LeftOut(Exception):
    """Why a patient is not in the cohort."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of every chart. `now`, in the hospital's zone, is when the record ends; `ehr`: whose charts they are."""

    service: DecisionService
    design: Design
    now: datetime
    ehr: Ehr | None = None

    def case(self, chart: Chart) -> Case:
        """Raises LeftOut."""
        self._refuse_unwilling(chart.id)
        whole = self.whole(chart)
        evidence = first_evidence(self.service, whole)
        index = self.index(whole, evidence)
        past = self.past(chart, whole, index)
        return Case(
            row=self._row(past),
            label=self._label(whole, evidence, index),
            person=self._pseudonym(chart.id),
            index=index,
            sex=past.patient.sex,
            age=past.age or 0,
            race=next((name for code, name in RACES.items() if code in past.patient.race_codes), "other or unknown"),
        )

    def whole(self, chart: Chart) -> PatientContext:
        """All that the record says today: for index and label, never for features."""
        whole = self._context(chart, Reader(**self._reading(chart)), now=self.now)
        if whole.patient.restricted:
            raise LeftOut("restricted chart")  # opened one by one and for a reason, never in a batch
        return whole

    def past(self, chart: Chart, whole: PatientContext, index: datetime) -> PatientContext:
        """What the record said just before the index."""
        visits = {stay.source: stay.start for stay in whole.stays if stay.start}
        return self._context(chart, PastReader(index=index, visits=visits, **self._reading(chart)), now=index)

    def index(self, whole: PatientContext, evidence: datetime | None) -> datetime:
        """The moment before which everything that the model sees was known."""
        if evidence and not self.design.at_visit:
            return _midnight(evidence) - timedelta(days=1)
        if evidence is None and self.design.followed is None:
            raise LeftOut("outcome unknown")
        until = evidence or _last_entry(whole) - (self.design.followed or timedelta())
        starts = [stay.start.latest for stay in whole.stays if stay.start and stay.start.latest <= until]
        if not starts:
            raise LeftOut("no visit to ask at")
        return max(starts)

    def _refuse_unwilling(self, patient_id: str) -> None:
        if self.ehr and self.ehr.is_invented(patient_id):
            raise LeftOut("test patient")
        if self.ehr and self.ehr.opted_out(patient_id):
            raise LeftOut("opted out")

    def _reading(self, chart: Chart) -> dict[str, Any]:
        out = kept_out(except_for=self.ehr.labels_read if self.ehr else "")
        return {"patient_id": chart.id, "zone": self.now.tzinfo, "names": frozenset(chart.names), "kept_out": out}

    def _context(self, chart: Chart, reader: Reader, *, now: datetime) -> PatientContext:
        """The same fold as that of a hook and of `manage.py assess`."""
        needs = self.service.needs
        try:
            return assemble(needs, chart.readings(needs, reader), patient_id=chart.id, now=now)
        except ProtectedData as error:
            raise LeftOut("protected entries") from error
        except (MissingData, MergedPatient) as error:
            raise LeftOut("not readable, or merged into another record") from error

    def _row(self, past: PatientContext) -> tuple[float, ...]:
        if not any(past.observations.values()):
            raise LeftOut("nothing measured before the index time")
        row = self.service.row(past)
        if row is None:
            raise LeftOut("the service does not ask its model")
        return row

    def _label(self, whole: PatientContext, evidence: datetime | None, index: datetime) -> bool:
        truth = self.service.truth(whole, since=index)
        if truth is None and (evidence or self.design.followed is None):
            raise LeftOut("outcome unknown")
        return truth.label if truth else False

    def _pseudonym(self, patient_id: str) -> str:
        """Of a folder without an EHR there is no key; it is not written down anywhere."""
        return self.ehr.pseudonym(patient_id) if self.ehr else hashlib.sha256(patient_id.encode()).hexdigest()


def build(question: Question, charts: Iterable[Chart], *, features: Sequence[str]) -> Cohort:
    """`features` name the service's row."""
    left_out: Counter[str] = Counter()
    cases = sorted(_cases(question, charts, left_out), key=lambda case: case.person)  # servers keep no order
    rows = np.array([case.row for case in cases], dtype=np.float64).reshape(len(cases), len(features))
    label = np.array([case.label for case in cases], dtype=np.bool_)
    return Cohort(
        source=SOURCE,
        sha256=content_hash(rows, label),
        features=tuple(features),
        sparse=True,
        rows=rows,
        label=label,
        person=texts(case.person for case in cases),
        period=texts(str(case.index.year) for case in cases),
        groups={
            "sex": texts(case.sex for case in cases),
            "age": texts(_band(case.age) for case in cases),
            "ethnicity": texts(case.race for case in cases),
        },
        left_out=dict(left_out),
    )


def _cases(question: Question, charts: Iterable[Chart], left_out: Counter[str]) -> Iterator[Case]:
    for chart in charts:
        try:
            yield question.case(chart)
        except LeftOut as reason:
            left_out[str(reason)] += 1


def first_evidence(service: DecisionService, whole: PatientContext) -> datetime | None:
    """When the record first tells whether the patient is ill; None if it never does."""
    days = sorted({_midnight(when.earliest) for when in _dates(whole)})
    found = (service.truth(whole, since=day) for day in days)
    return next((truth.at for truth in found if truth), None)


def _dates(whole: PatientContext) -> Iterator[When]:
    """Of everything that could be evidence."""
    yield from (fact.when for facts in whole.observations.values() for fact in facts)
    yield from (diagnosis.start for diagnosis in whole.diagnoses if diagnosis.start)


def _last_entry(whole: PatientContext) -> datetime:
    stays = (stay.start for stay in whole.stays if stay.start)
    return max((when.earliest for when in (*_dates(whole), *stays) if when.earliest <= whole.now), default=whole.now)


def _midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.date(), time(), tzinfo=moment.tzinfo)


def _band(age: int) -> str:
    return next(name for low, name in reversed(AGE_BANDS.items()) if age >= low)

"""Who of a finished population should be looked at: filtered and sorted by the database, a page at a time."""

from __future__ import annotations

from datetime import date

from django.db.models import F, Q, QuerySet, TextField, Value
from django.db.models.functions import Concat, StrIndex
from msgspec import Struct

from cds.dates import months_before
from cds.models import PopulationResult, PopulationRun
from cds.population.overtaken import overtaken

PAGE = 50
_WORDS = {
    "opted-out": "opted out",
    "test-patient": "a test patient",
    "merged": "the record was merged into another one",
    "protected": "part of the record is protected",
    "restricted": "the chart is restricted",
    "model-high": "the model's estimate is at or above the threshold",
    "model-low": "the model's estimate is below the threshold",
}


class Wanted(Struct, frozen=True, kw_only=True):
    """What the worklist shows; nothing given: everybody who alerts, the highest risk first.

    `untested_months`: not tested within so many months of `as_of`, or never. `ages`: years, both ends included.
    `overtaken`: those, and only those, of whom a later run has an answer; else none of them.
    """

    everybody: bool = False
    reason: str = ""
    panel: str = ""
    sex: str = ""
    ages: tuple[int, int] | None = None
    untested_months: int = 0
    oldest_test_first: bool = False
    overtaken: bool = False


def worklist(run: PopulationRun, wanted: Wanted) -> QuerySet[PopulationResult]:
    """People who may be listed, in a fixed order, so that no page shows anybody twice."""
    rows = listable(run)
    if not wanted.everybody:
        rows = rows.filter(alerts=True)
    for name in ("reason", "sex"):
        if value := getattr(wanted, name):
            rows = rows.filter(**{name: value})
    if wanted.panel:  # a whole line of it
        place = StrIndex(
            Concat(Value("\n"), "panel", Value("\n"), output_field=TextField()), Value(f"\n{wanted.panel}\n")
        )
        rows = rows.alias(place=place).filter(place__gt=0)
    if wanted.ages:
        rows = rows.filter(age__range=wanted.ages)
    if wanted.untested_months:
        rows = rows.filter(Q(last_test=None) | Q(last_test__lt=since(run, wanted.untested_months)))
    rows = rows.filter(overtaken(run) if wanted.overtaken else ~overtaken(run))
    if wanted.oldest_test_first:
        return rows.order_by(F("last_test").asc(nulls_first=True), "pk")
    return rows.order_by(F("probability").desc(nulls_last=True), "pk")


def listable(run: PopulationRun) -> QuerySet[PopulationResult]:
    """Neither those whose place it never was, nor those who left since."""
    return run.results.exclude(patient_id=None).filter(left="")


def since(run: PopulationRun, months: int) -> date:
    zone = run.ehr.zone if run.ehr else run.as_of.tzinfo
    return months_before(run.as_of.astimezone(zone).date(), months)


def choices(run: PopulationRun) -> dict[str, list[tuple[str, str]]]:
    """The reasons and panels that there are: what the filters offer."""
    rows = listable(run)
    reasons = rows.order_by("reason").values_list("reason", flat=True).distinct()
    several = rows.exclude(panel="").order_by().values("panel", "panel_name").distinct()
    named = dict(one for row in several.iterator() for one in PopulationResult(**row).panels)
    panels = sorted(named.items(), key=lambda one: (one[1], one[0]))
    return {"reason": [(one, in_words(one)) for one in reasons], "panel": panels}


def in_words(reason: str) -> str:
    """A rule's key, or why nothing could be said, as people say it."""
    return _WORDS.get(reason, reason.replace("-", " "))

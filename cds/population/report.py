"""A finished run in numbers, for one page: what became of everybody, how the risk is spread, who alerts. Small groups hidden."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Case, Count, F, IntegerField, Q, Value, When
from django.db.models.functions import Floor, Least
from msgspec import Struct

from cds.models import PopulationRun
from cds.population.worklist import since
from scoring.groups import shown

BAND_YEARS = 10
_YOUNGEST, _OLDEST = 10, 90


class Group(Struct, frozen=True, kw_only=True):
    """`people` who were asked about, `alerting` of them; None where it would be too small to be shown."""

    name: str
    people: int | None
    alerting: int | None


class Report(Struct, frozen=True, kw_only=True):
    """`risk`: people by band of estimated risk, each (from, to, people), fractions. `tested`: people who alert, by last test."""

    alerting: int
    risk: list[tuple[float, float, int]]
    groups: Mapping[str, list[Group]]
    tested: list[tuple[str, int | None]]


def report(run: PopulationRun) -> Report:
    return Report(
        alerting=run.results.filter(alerts=True).count(),
        risk=_risk(run),
        groups={"Sex": _by_sex(run), "Age": _by_age(run)},
        tested=_tested(run),
    )


def _risk(run: PopulationRun) -> list[tuple[float, float, int]]:
    """In bands of 5 per cent."""
    band = Least(Floor(F("probability") * 20), Value(19.0))
    rows = run.results.exclude(probability=None).annotate(band=band).values_list("band").annotate(people=Count("pk"))
    counted = {int(number): people for number, people in rows}
    return [(number / 20, (number + 1) / 20, counted.get(number, 0)) for number in range(20)]


def _by_sex(run: PopulationRun) -> list[Group]:
    return _groups([(sex or "unknown", run.results.filter(sex=sex)) for sex in ("female", "male", "other", "unknown")])


def _by_age(run: PopulationRun) -> list[Group]:
    found = [(f"under {_YOUNGEST + BAND_YEARS}", run.results.filter(age__lt=_YOUNGEST + BAND_YEARS))]
    for low in range(_YOUNGEST + BAND_YEARS, _OLDEST, BAND_YEARS):
        found.append((f"{low} to {low + BAND_YEARS - 1}", run.results.filter(age__range=(low, low + BAND_YEARS - 1))))
    return _groups([*found, (f"{_OLDEST} or older", run.results.filter(age__gte=_OLDEST))])


def _groups(parts: list[tuple[str, object]]) -> list[Group]:
    counts = [rows.aggregate(people=Count("pk"), alerting=Count("pk", filter=Q(alerts=True))) for _, rows in parts]  # type: ignore[attr-defined]
    people = shown([one["people"] for one in counts])
    alerting = shown([one["alerting"] for one in counts])
    found = [
        Group(name=name, people=whole, alerting=None if whole is None else part)
        for (name, _), whole, part in zip(parts, people, alerting, strict=True)
    ]
    return [one for one in found if one.people != 0]


def _tested(run: PopulationRun) -> list[tuple[str, int | None]]:
    """Of those who alert."""
    year, three = since(run, 12), since(run, 36)
    when = Case(
        When(last_test=None, then=Value(0)),
        When(last_test__lt=three, then=Value(1)),
        When(last_test__lt=year, then=Value(2)),
        default=Value(3),
        output_field=IntegerField(),
    )
    rows = run.results.filter(alerts=True).annotate(band=when).values_list("band").annotate(people=Count("pk"))
    counted = dict(rows)
    names = (
        "never, as far as the record tells",
        "more than 3 years before",
        "1 to 3 years before",
        "within the year before",
    )
    return list(zip(names, shown([counted.get(band, 0) for band in range(len(names))]), strict=True))

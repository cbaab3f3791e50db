"""Patients and clinicians as the hospital's pages name them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from smartapp.demo_ehr.context import encounter_of
from smartapp.demo_ehr.outcomes import Resource
from smartapp.demo_ehr.search import select
from smartapp.demo_ehr.store import chart_store


@dataclass(frozen=True, kw_only=True)
class Banner:
    """Who this is, as every page of a chart must say."""

    id: str
    name: str
    also: str
    born: date
    age: int
    sex: str
    record_number: str
    encounter: str | None


def names_of(person: Resource) -> list[str]:
    """Each name as written, the official one first."""
    names = sorted(person["name"], key=lambda name: name.get("use") != "official")
    return [
        str(name.get("text") or " ".join([*name.get("given", ()), name.get("family", "")]).strip()) for name in names
    ]


def banner_of(patient: Resource) -> Banner:
    names, born = names_of(patient), date.fromisoformat(patient["birthDate"])
    return Banner(
        id=patient["id"],
        name=names[0],
        also=" · ".join(names[1:]),
        born=born,
        age=age_on(datetime.now(UTC).date(), born=born),
        sex=patient["gender"],
        record_number=patient["identifier"][0]["value"],
        encounter=encounter_of(patient["id"]),
    )


def age_on(day: date, *, born: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def everyone() -> list[Banner]:
    return [banner_of(patient) for patient in ordered("Patient")]


def choices() -> dict[str, list[tuple[str, str]]]:
    """Who may be picked in a standalone launch: (id, name) of clinicians and patients."""
    return {
        "clinicians": [(person["id"], names_of(person)[0]) for person in ordered("Practitioner")],
        "patients": [(person["id"], names_of(person)[0]) for person in ordered("Patient")],
    }


def ordered(kind: str) -> list[Resource]:
    return select(chart_store().all(kind), kind=kind, criteria=(("_sort", "_id"),))

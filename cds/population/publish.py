"""A worklist leaves: as CSV for people, as a FHIR Group or List for other systems. Who took it is audited, person by person."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from django.utils import timezone

from cds import audit
from cds.fhir.elements import Resource, without_empty
from cds.fhir.write import require_valid
from cds.models import PopulationResult, PopulationRun
from cds.population.worklist import in_words
from cds.prepared import insert

_COLUMNS = ("patient", "age_years", "sex", "risk_percent", "alert", "outcome", "reason", "last_test", "panel")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # OWASP, "CSV Injection": a spreadsheet would compute it
_AT_ONCE = 500


def seen(rows: Iterable[PopulationResult], *, run: PopulationRun, actor: str, how: str) -> Iterator[PopulationResult]:
    """The rows, each on record as seen before it is given away."""
    waiting = iter(rows)
    while block := list(islice(waiting, _AT_ONCE)):
        entries = (
            audit.entry(how, actor=actor, ehr_id=run.ehr_id, patient_key=row.pseudonym, subject=str(run.pk))
            for row in block
        )
        insert(*entries)
        yield from block


def as_csv(rows: Iterable[PopulationResult]) -> Iterator[str]:
    """RFC 4180, line by line, with a header; empty where nothing is known."""
    lines = csv.writer(_Echo())
    yield lines.writerow(_COLUMNS)
    for row in rows:
        yield lines.writerow([_harmless(value) for value in _cells(row)])


class _Echo:
    """csv wants to write; a stream wants lines."""

    def write(self, line: str) -> str:
        return line


def _cells(row: PopulationResult) -> tuple[str, ...]:
    risk = "" if row.probability is None else f"{100 * row.probability:.1f}"
    last_test = row.last_test.isoformat() if row.last_test else ""
    age = "" if row.age is None else str(row.age)
    alert = "yes" if row.alerts else "no"
    return patient_of(row), age, row.sex, risk, alert, row.outcome, in_words(row.reason), last_test, row.panel_names


def _harmless(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value


def patient_of(row: PopulationResult) -> str:
    """Patient.id at the EHR."""
    return bytes(row.patient_id or b"").decode()


def as_group(rows: Iterable[PopulationResult], run: PopulationRun, *, name: str) -> Resource:
    """R4 Group of persons, as a snapshot."""
    members = [{"entity": {"reference": f"Patient/{patient_of(row)}"}} for row in rows]
    return _valid(
        {
            "resourceType": "Group",
            "type": "person",
            "actual": True,
            "active": True,
            "name": name,
            "quantity": len(members),
            "member": members,
        }
    )


def as_list(rows: Iterable[PopulationResult], run: PopulationRun, *, name: str) -> Resource:
    """R4 List, with the date of the record that was judged; an empty one says why it is empty."""
    entries = [{"item": {"reference": f"Patient/{patient_of(row)}"}} for row in rows]
    found: Resource = {
        "resourceType": "List",
        "status": "current",
        "mode": "snapshot",
        "title": name,
        "date": timezone.now().isoformat(timespec="seconds"),
        "entry": entries,
    }
    if not entries:
        system = "http://terminology.hl7.org/CodeSystem/list-empty-reason"
        found["emptyReason"] = {"coding": [{"system": system, "code": "nilknown"}]}
    return _valid(found)


def _valid(resource: Resource) -> Resource:
    return require_valid(without_empty(resource))


AS_FHIR: dict[str, Callable[..., Resource]] = {"group": as_group, "list": as_list}

"""The record as it stood: whatever cannot be shown to have been known before the index is not read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from cds.facts import Person, When
from cds.fhir.dates import parse
from cds.fhir.past import PastReader
from cds.fhir.read import Reading
from cds.needs import Need
from cds.services.diabetes.service import DiabetesRisk
from tests.cds.fhir.resources import condition, encounter, glucose, patient, prescription

INDEX = datetime(2024, 3, 10, 12, 0, tzinfo=UTC)
BEFORE, AT, AFTER = "2024-03-10T11:59:59Z", "2024-03-10T12:00:00Z", "2024-03-10T12:00:01Z"


def when(text: str) -> When:
    found = parse(text, UTC)
    assert found is not None
    return found


def read(resource: dict[str, Any], **visits: str) -> Reading:
    need = next(need for need in DiabetesRisk.needs if need.resource == resource["resourceType"] and not need.codes)
    if resource["resourceType"] == "Observation":
        need = next(need for need in DiabetesRisk.needs if need.key == "glucose")
    begun = {f"Encounter/{name}": when(text) for name, text in visits.items()}
    return PastReader(index=INDEX, visits=begun, patient_id="p", zone=UTC).read(need, msgspec.json.encode(resource))


def there(resource: dict[str, Any], **visits: str) -> bool:
    reading = read(resource, **visits)
    assert not reading.issues  # it is not said either: an issue would tell of the future
    return bool(reading.observed or reading.coded)


@pytest.mark.parametrize(("effective", "known"), [(BEFORE, True), (AT, False), (AFTER, False)])
def test_a_result_counts_only_strictly_before_the_index(effective: str, *, known: bool) -> None:
    assert there(glucose(120, effectiveDateTime=effective)) is known


def test_a_result_that_was_issued_later_was_not_known_however_early_the_sample() -> None:
    assert there(glucose(120, effectiveDateTime="2024-03-01", issued=BEFORE))
    assert not there(glucose(120, effectiveDateTime="2024-03-01", issued=AFTER))
    assert not there(glucose(120, effectiveDateTime="2024-03-01", issued="some day"))


@pytest.mark.parametrize(
    ("effective", "known"), [("2024-03-09", True), ("2024-03-10", False), ("2024-03", False), ("2023", True)]
)
def test_a_partial_date_counts_once_it_is_surely_over(effective: str, *, known: bool) -> None:
    assert there(glucose(120, effectiveDateTime=effective)) is known


def test_what_carries_no_date_at_all_is_not_read() -> None:
    assert not there(glucose(120, effectiveDateTime=None))
    assert not there(condition("44054006", onsetDateTime=None))


def test_a_collection_counts_from_its_end() -> None:
    period = {"start": "2024-03-01", "end": AFTER}
    assert not there(glucose(120, effectiveDateTime=None, effectivePeriod=period))


def test_a_diagnosis_recorded_later_was_not_known_however_early_its_onset() -> None:
    assert there(condition("44054006", onsetDateTime="2020-01-01", recordedDate="2024-03-09"))
    assert not there(condition("44054006", onsetDateTime="2020-01-01", recordedDate="2024-03-11"))


def test_stu3_says_when_it_was_asserted() -> None:
    assert not there(condition("44054006", onsetDateTime="2020-01-01", assertedDate="2024-03-11"))


def test_without_a_recorded_date_a_diagnosis_was_recorded_in_its_encounter() -> None:
    here = condition("44054006", onsetDateTime="2020-01-01", encounter={"reference": "Encounter/e/_history/3"})
    assert there(here, e=BEFORE)
    assert not there(here, e=AFTER)


def test_an_order_counts_from_when_it_was_written() -> None:
    assert there(prescription("metformin", authoredOn=BEFORE))
    assert not there(prescription("metformin", authoredOn=AFTER))


def test_an_end_that_lies_ahead_was_not_known() -> None:
    (over,) = read(condition("38341003", onsetDateTime="2020", abatementDateTime="2024-04-01", status="resolved")).coded
    assert (over.status, over.end) == ("active", None)
    (known,) = read(
        condition("38341003", onsetDateTime="2020", abatementDateTime="2024-02-01", status="resolved")
    ).coded
    assert (known.status, known.end is None) == ("resolved", False)
    (undated,) = read(condition("38341003", onsetDateTime="2020", status="resolved")).coded
    assert undated.status == "active"


def test_the_encounter_that_begins_at_the_index_is_open_and_a_later_one_is_not_there() -> None:
    (visit,) = read(encounter(start=AT, end=AFTER)).coded
    assert (visit.status, visit.end) == ("in-progress", None)
    assert not there(encounter(start=AFTER, end=AFTER))
    (past,) = read(encounter(start="2024-03-01", end=BEFORE)).coded
    assert past.status == "finished"


@pytest.mark.parametrize(
    ("death", "dead"),
    [
        ({"deceasedDateTime": "2024-03-11"}, False),
        ({"deceasedBoolean": True}, False),
        ({"deceasedDateTime": "2024-03-01"}, True),
    ],
)
def test_a_death_that_lies_ahead_was_not_known(death: dict[str, Any], *, dead: bool) -> None:
    person = PastReader(index=INDEX, visits={}, patient_id="p", zone=UTC).read(
        Need.patient(), msgspec.json.encode(patient(**death))
    )
    assert isinstance(person.person, Person)
    assert person.person.deceased is dead


@pytest.mark.parametrize(("started", "known"), [(BEFORE, True), (AFTER, False), (None, False)])
def test_an_imaging_study_counts_from_when_it_began(started: str | None, *, known: bool) -> None:
    study = {"resourceType": "ImagingStudy", "id": "i", "subject": {"reference": "Patient/p"}, "started": started}
    need = Need.resources("imaging", "ImagingStudy")
    reader = PastReader(index=INDEX, visits={}, patient_id="p", zone=UTC)
    assert bool(reader.read(need, msgspec.json.encode(study)).coded) is known

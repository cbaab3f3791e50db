"""Numbers in other people's structured reports: which are the patient's, of when, and how sure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydicom.dataset import Dataset

from cds import analytes
from cds.dicom.numbers import Numbers
from cds.needs import ArchiveNeed
from tests.cds.dicom.foreign import BMI, HEIGHT, WEIGHT, about, coded, container, echo, number

AUCKLAND = ZoneInfo("Pacific/Auckland")
AT = datetime(2026, 3, 30, 9, 15, tzinfo=AUCKLAND)
WANTED = ArchiveNeed(
    key="vitals", within=timedelta(days=730), analytes=(analytes.BMI, analytes.WEIGHT, analytes.HEIGHT)
)


def read(*content: Dataset, **more: Any) -> Numbers:
    return Numbers(echo(*content, at=AT, **more), WANTED, zone=AUCKLAND)


def test_height_and_weight_become_facts_in_our_units_with_the_day_of_the_study() -> None:
    found = read(number(HEIGHT, 1.68, "m"), number(WEIGHT, 71, "kg"))
    assert [(fact.analyte, fact.quantity.value, fact.quantity.unit) for fact in found.facts] == [
        ("height", 168.0, "cm"),
        ("weight", 71.0, "kg"),
    ]
    assert found.facts[0].reported.unit == "m"
    assert {fact.when.latest for fact in found.facts} == {AT}
    assert found.facts[0].source.startswith("urn:oid:1.2.826.")
    assert found.issues == []


def test_a_snomed_name_is_the_same_thing() -> None:
    assert [(fact.analyte, fact.quantity.value) for fact in read(number(BMI, 25.2, "kg/m2")).facts] == [("bmi", 25.2)]


def test_an_item_that_says_when_it_was_observed_is_of_then_in_its_own_offset() -> None:
    (fact,) = read(number(WEIGHT, 70, "kg", at="20260301083000+0000")).facts
    assert fact.when.latest == datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    assert fact.when.latest.tzinfo == AUCKLAND


def test_times_without_an_offset_are_of_the_reports_or_else_of_the_hospital() -> None:
    (there,) = read(number(WEIGHT, 70, "kg", at="20260301083000"), TimezoneOffsetFromUTC="-0500").facts
    (here,) = read(number(WEIGHT, 70, "kg", at="20260301083000")).facts
    assert there.when.latest == datetime(2026, 3, 1, 13, 30, tzinfo=UTC)
    assert here.when.latest == datetime(2026, 3, 1, 8, 30, tzinfo=AUCKLAND)


def test_a_study_without_a_time_is_of_its_whole_day() -> None:
    (fact,) = read(number(WEIGHT, 70, "kg"), StudyTime="").facts
    assert (fact.when.text, fact.when.earliest.hour, fact.when.latest.hour) == ("2026-03-30", 0, 23)


def test_only_a_verified_and_complete_report_is_certain() -> None:
    weight = number(WEIGHT, 70, "kg")
    assert not read(weight).facts[0].certain
    assert read(weight, VerificationFlag="VERIFIED").facts[0].certain
    assert not read(weight, VerificationFlag="VERIFIED", CompletionFlag="PARTIAL").facts[0].certain


def test_a_fetus_is_not_the_patient_and_who_is_named_as_the_patient_is() -> None:
    fetus, patient = ("121026", "DCM", "Fetus"), ("121025", "DCM", "Patient")
    group = ("125007", "DCM", "Measurement Group")
    of_fetus = container(group, about(fetus), container(group, number(WEIGHT, 30, "kg")))
    of_patient = container(group, about(patient), number(WEIGHT, 70, "kg"))
    assert [fact.quantity.value for fact in read(of_fetus, of_patient).facts] == [70.0]


def test_a_mean_or_a_normal_range_is_not_the_measurement() -> None:
    derived = coded(("121401", "DCM", "Derivation"), ("373098007", "SCT", "Mean"), relationship="HAS CONCEPT MOD")
    normal = number(WEIGHT, 80, "kg")
    found = read(number(WEIGHT, 70, "kg", derived), number(HEIGHT, 168, "cm", normal))
    assert [fact.analyte for fact in found.facts] == ["height"]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (number(WEIGHT, None, "kg"), "no numeric value"),
        (number(WEIGHT, 70, "stone"), "unit 'stone' not understood"),
        (number(WEIGHT, 7000, "kg"), "implausible value 7000 kg"),
    ],
)
def test_what_cannot_be_used_is_said(item: Dataset, reason: str) -> None:
    found = read(item)
    assert found.facts == []
    assert [(issue.need, issue.analyte, issue.reason) for issue in found.issues] == [("vitals", "weight", reason)]


def test_a_report_without_any_date_gives_no_fact() -> None:
    found = read(number(WEIGHT, 70, "kg"), StudyDate="", ContentDate="20260231")
    assert (found.facts, found.issues[0].reason) == ([], "without a date")


def test_a_value_that_breaks_its_rules_is_quoted_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    """pydicom would warn about it and log it, value and all."""
    report = echo(number(WEIGHT, 70, "kg"), at=AT, StudyDate="Lindqvist")
    broken = Dataset.from_json(report.to_json())
    assert Numbers(broken, WANTED, zone=AUCKLAND).facts[0].when.latest == AT
    assert "Lindqvist" not in "".join(capfd.readouterr())


def test_what_nobody_asked_for_and_private_codes_are_passed_over_in_silence() -> None:
    found = read(number(("8277-6", "LN", "Body Surface Area"), 1.8, "m2"), number(("W", "99ECHO", "Weight"), 70, "kg"))
    assert (found.facts, found.issues) == ([], [])

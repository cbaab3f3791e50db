"""Imaging with iodinated contrast: who is told, what counts as contrast, and until when."""

from __future__ import annotations

import pytest

from cds.cards import SUMMARY_LIMIT
from cds.services.metformin_renal.service import MetforminRenal
from cds.services.metformin_renal.tests.charts import (
    chart,
    creatinine,
    days_ago,
    drug,
    egfr,
    hours_ago,
    imaging,
    prescribing,
)
from cds.services.metformin_renal.tests.test_service import card, said

TAKEN = drug()
YESTERDAY = imaging(at=hours_ago(20))


def test_contrast_yesterday_with_an_egfr_below_60_is_a_warning() -> None:
    context = prescribing(egfr(55), YESTERDAY)
    assert said(context) == ("contrast", "warning")
    text = card(context)
    assert len(text.splitlines()[0]) <= SUMMARY_LIMIT
    assert "CT abdomen W contrast IV" in text
    assert "measure eGFR 48 hours after it" in text


def test_who_takes_metformin_below_45_is_told_of_the_contrast_first() -> None:
    assert said(prescribing(egfr(40), TAKEN, YESTERDAY)) == ("contrast", "warning")


def test_a_contraindication_and_a_start_below_45_need_no_contrast() -> None:
    assert said(prescribing(egfr(25), TAKEN, YESTERDAY))[0] == "contraindicated"
    context = prescribing(egfr(40), YESTERDAY)
    assert said(context)[0] == "not-recommended"
    assert "Imaging with iodinated contrast" in card(context)


def test_healthy_kidneys_need_no_pause_unless_contrast_went_into_an_artery() -> None:
    assert said(prescribing(egfr(60), YESTERDAY)) == ("no-objection", "")
    angiography = imaging("Coronary angiography", "XA", at=hours_ago(20))
    assert said(prescribing(egfr(90), angiography)) == ("contrast", "warning")


def test_a_rise_of_creatinine_is_said_beside_the_contrast() -> None:
    risen = (creatinine(0.9, at=hours_ago(30)), creatinine(1.3, at=hours_ago(2)))
    context = prescribing(*risen, YESTERDAY)
    assert said(context) == ("contrast", "warning")
    assert "eGFR is not steady" in card(context)


@pytest.mark.parametrize(
    ("name", "modality", "counts"),
    [
        ("CT HEAD W CONTRAST", "CT", True),
        ("CT abdomen WO and W contrast IV", "CT", True),
        ("CT abdomen without and with contrast", "CT", True),
        ("CTA chest", "CT", True),
        ("Contrast-enhanced CT of thorax", "CT", True),
        ("CT head without contrast", "CT", False),
        ("CT HEAD WO CONTRAST", "CT", False),
        ("CT head w/o IV contrast", "CT", False),
        ("Non-contrast CT", "CT", False),
        ("CT head", "CT", False),
        ("MR brain W contrast", "MR", False),
        ("", "XA", True),
        ("Angiography without contrast (CO2)", "XA", False),
    ],
)
def test_what_counts_as_contrast_with_iodine(name: str, modality: str, counts: bool) -> None:
    context = prescribing(egfr(50), imaging(name, modality, at=hours_ago(20)))
    assert (said(context)[0] == "contrast") is counts


def test_an_egfr_of_48_hours_later_ends_it_and_an_earlier_one_does_not() -> None:
    study = imaging(at=hours_ago(60))
    assert said(prescribing(egfr(55, at=hours_ago(30)), study))[0] == "contrast"
    assert said(prescribing(egfr(55, at=hours_ago(11)), study))[0] == "no-objection"


def test_after_a_week_it_is_not_held_against_anybody() -> None:
    assert said(prescribing(egfr(55), imaging(at=days_ago(6))))[0] == "contrast"
    assert said(prescribing(egfr(55), imaging(at=days_ago(9))))[0] == "no-objection"


def test_a_study_that_is_planned_has_given_nothing_yet() -> None:
    assert said(prescribing(egfr(55), imaging(at=hours_ago(-20))))[0] == "no-objection"


def test_imaging_that_cannot_be_read_is_said_where_it_would_matter() -> None:
    assert "Imaging studies could not be read" in card(prescribing(egfr(40), unread=("imaging",)))
    assert said(prescribing(egfr(80), unread=("imaging",))) == ("no-objection", "")


def test_the_page_says_it_of_a_patient_who_takes_metformin() -> None:
    sentence = MetforminRenal().sentence(
        MetforminRenal().assess(chart(egfr(55), TAKEN, YESTERDAY), model=None, threshold=0.0),
        chart(egfr(55), TAKEN, YESTERDAY),
    )
    assert sentence.startswith("Contrast imaging ")

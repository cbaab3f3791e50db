"""The page that people read: what it says, in every script, for screen readers, and always the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from cds.identity import PatientIdentity
from cds.records import ReportRecord, Verification
from cds.report_pdf import report_pdf
from tests.cds.saved import ADA, AT, FACTORS, REPORT

VERIFIED = Verification(name="Dr. Chika Okafor", organization="Demo hospital", at=AT)


def page(
    report: ReportRecord = REPORT, *, patient: PatientIdentity = ADA, verified: Verification | None = None
) -> bytes:
    return report_pdf(report, patient=patient, hospital="Demo hospital", verified=verified)


def run(command: str, content: bytes, folder: Path) -> str:
    """What poppler reads in it."""
    if not shutil.which(command) and not os.environ.get("CI"):
        pytest.skip(f"{command} (poppler-utils) is not installed")
    path = folder / "page.pdf"
    path.write_bytes(content)
    more = ["-"] if command == "pdftotext" else []
    return subprocess.run([command, path, *more], capture_output=True, text=True, check=True).stdout


def text(content: bytes, folder: Path) -> str:
    return " ".join(run("pdftotext", content, folder).split())


def test_it_says_who_what_from_what_and_what_it_is_not(tmp_path: Path) -> None:
    said = text(page(), tmp_path)
    wanted = (
        *("Ada Lindqvist", "born 9 Aug 1964", "NG-100461", "Demo hospital", "1 Mar 2026, 09:30 (UTC+05:30)"),
        *(REPORT.title, REPORT.conclusion, "18 in 100", "18 %", "Women aged 55 to 64: 4 in 100"),
        *("What moves the estimate", "121.3 mg/dL", "61 years", "+0.85", "log-odds add up"),
        *("HbA1c: not on record", "Not for: children; pregnancy."),
        *("Bedside diabetes-risk 1.0.0+nhanes", REPORT.assessment_id, "page 1 of 1"),
        "It supports and never replaces clinical judgement.",
    )
    assert [one for one in wanted if one not in said.replace("\N{NO-BREAK SPACE}", " ")] == []


def test_it_says_that_nobody_signed_it_until_somebody_did(tmp_path: Path) -> None:
    assert "Not verified." in text(page(), tmp_path)
    signed = text(page(verified=VERIFIED), tmp_path)
    assert "Verified. Dr. Chika Okafor, Demo hospital, 1 Mar 2026, 09:30 (UTC+05:30)." in signed
    assert "Not verified" not in signed


def test_only_a_test_systems_page_says_so(tmp_path: Path) -> None:
    test = report_pdf(REPORT, patient=ADA, hospital="Demo hospital", is_test=True)
    assert "Test system." in text(test, tmp_path)
    assert "Test system" not in text(page(), tmp_path)


@pytest.mark.parametrize("name", [("Łukasiewicz-Ångström", "Zoë"), ("陈", "伟"), ("حداد", "فرح")])
def test_a_name_in_any_script_is_in_the_page_and_its_font_too(name: tuple[str, str], tmp_path: Path) -> None:
    patient = msgspec.structs.replace(ADA, family=name[0], given=name[1])
    said = text(page(patient=patient), tmp_path)
    assert all(part in said for part in name)
    assert "Not every sign" not in said


def test_a_sign_that_no_font_has_leaves_a_page_that_says_so(tmp_path: Path) -> None:
    said = text(page(patient=msgspec.structs.replace(ADA, family="\ue000")), tmp_path)
    assert "Not every sign of this page could be shown" in said
    assert "NG-100461" in said


@pytest.mark.parametrize(
    "family", ["#panic()", "*bold* _x_ $1$ @ref <label>", "\\ ^ = \\u{41}", '"]; #read("/etc/passwd")']
)
def test_a_name_is_text_and_never_markup(family: str, tmp_path: Path) -> None:
    patient = msgspec.structs.replace(ADA, family=family, given="")
    assert " ".join(family.split()) in text(page(patient=patient), tmp_path)


def test_a_name_of_300_letters_and_ten_inputs_still_make_one_page(tmp_path: Path) -> None:
    factors = tuple(msgspec.structs.replace(FACTORS[0], key=f"k{n}", label=f"Total cholesterol {n}") for n in range(10))
    base = REPORT.estimate.margin - sum(factor.contribution for factor in factors)
    estimate = msgspec.structs.replace(REPORT.estimate, factors=factors, base=base)
    doubts = tuple(f"Value number {n}: not on record" for n in range(8))
    report = msgspec.structs.replace(REPORT, estimate=estimate, doubts=doubts)
    made = page(report, patient=msgspec.structs.replace(ADA, family="Wolfeschlegel" * 23))
    assert "Pages:           1\n" in run("pdfinfo", made, tmp_path)


def test_a_screen_reader_can_read_it(tmp_path: Path) -> None:
    made = page()
    told = run("pdfinfo", made, tmp_path)
    assert "Tagged:          yes" in told
    assert f"Title:           {REPORT.title}" in told
    assert b"pdfuaid:part" in made
    assert b"pdfaid:part" in made


def test_the_same_answer_gives_the_same_bytes() -> None:
    assert page() == page()


def test_who_has_no_name_number_or_birth_date_is_said_to_have_none(tmp_path: Path) -> None:
    said = text(page(patient=PatientIdentity(id="x")), tmp_path)
    assert "Name not on record" in said
    assert "birth date not on record · unknown · no record number" in said

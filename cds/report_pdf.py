"""The report that people read: one page, tagged (PDF/UA-1) and for archives (PDF/A-2a); the same answer gives the same bytes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import typst
from django.conf import settings

from cds.identity import PatientIdentity
from cds.plots import waterfall
from cds.records import ReportRecord, Verification
from cds.why import in_words, why
from cds.words import Frequency, moment
from scoring.plots import THEMES, svg

logger = logging.getLogger(__name__)

_STANDARDS = ["a-2a", "ua-1"]
_TEMPLATE = settings.BASE_DIR / "templates" / "cds" / "report.typ"
_ALWAYS = (
    "Made by an artificial intelligence. It supports and never replaces clinical judgement.",
    "It is no diagnosis and rules nothing out.",
)


def report_pdf(
    report: ReportRecord,
    *,
    patient: PatientIdentity,
    hospital: str,
    is_test: bool = False,
    verified: Verification | None = None,
) -> bytes:
    """`hospital`: as its people call it."""
    said = {
        **_who(patient),
        **_what(report),
        "hospital": hospital,
        "test": is_test,
        "verified": verified and f"{verified.name}, {verified.organization}, {moment(verified.at)}.",
        "unshown": False,
    }
    at = int(report.at.timestamp())
    try:
        return _compiled(said, at=at, pdf_standards=_STANDARDS)
    except typst.TypstError:
        # Both standards forbid a sign without a font. A page that says so is better than none.
        logger.warning("no installed font shows all of a report: install fonts-noto-cjk and fonts-noto-core")
        return _compiled(said | {"unshown": True}, at=at)


def _compiled(said: Mapping[str, Any], *, at: int, **options: Any) -> bytes:
    inputs = {"data": msgspec.json.encode(said).decode()}
    made: bytes = typst.compile(
        _TEMPLATE.read_bytes(), font_paths=_fonts(), sys_inputs=inputs, format="pdf", timestamp=at, **options
    )
    return made


@cache
def _fonts() -> typst.Fonts:
    """Those of the machine. Looking for them takes longer than the page itself."""
    return typst.Fonts()


def _who(patient: PatientIdentity) -> dict[str, str]:
    born = f"born {patient.birth_date:%-d %b %Y}" if patient.birth_date else "birth date not on record"
    name = patient.name or "Name not on record"
    number = f"record number {patient.mrn}" if patient.mrn else "no record number"
    return {"name": name, "banner": f"{born} · {patient.sex} · {number}", "who": f"{name} · {number}"}


def _what(report: ReportRecord) -> dict[str, Any]:
    estimate, theme = report.estimate, THEMES["light"]
    frequency, found = Frequency(probability=estimate.probability), why(estimate)
    return {
        "title": report.title,
        "at": report.at.timetuple()[:6],
        "when": moment(report.at),
        "assessment": report.assessment_id,
        "model": f"{report.algorithm.title} {report.algorithm.version}",
        "conclusion": report.conclusion,
        "in_100": frequency.in_100,
        "percent": frequency.percent,
        "count": frequency.count,
        "peers": _peers(report),
        "plot": svg(waterfall(estimate, size="wide", theme=theme), theme),
        "plot_in_words": in_words(estimate),
        "inputs": [
            {"label": row.label, "value": row.value, "day": row.day, "share": row.log_odds} for row in found.rows
        ],
        "sum": f"From the model's starting point ({found.base_percent}, {found.base}) to this person "
        f"({found.total_percent}, {found.total}); log-odds add up.",
        "doubts": report.doubts,
        "limits": [*_ALWAYS, *report.limits],
    }


def _peers(report: ReportRecord) -> str:
    """What was estimated, and what is usual."""
    estimate, asked = report.estimate, report.outcome_text.replace(">=", "≥")
    if estimate.peers is None:
        return asked
    usual = Frequency(probability=estimate.peers).in_100.lower()
    return f"{asked}. {estimate.peers_text[:1].upper()}{estimate.peers_text[1:]}: {usual}"

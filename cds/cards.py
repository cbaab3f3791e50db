"""What the clinician reads, in the shape of CDS Hooks 2.0.1, "CDS Service Response"."""

from __future__ import annotations

import re
import uuid

import msgspec
from msgspec import Struct

from cds.codes import Code
from cds.finding import Indicator
from cds.records import OrderRecord

SUMMARY_LIMIT = 140  # "should be fewer than 140 characters"


class Suggestion(Struct, frozen=True, kw_only=True):
    """One step that the EHR can take when the clinician agrees: a draft order."""

    label: str
    order: OrderRecord
    uuid: str = msgspec.field(default_factory=lambda: str(uuid.uuid4()))


class OverrideReason(Struct, frozen=True, kw_only=True):
    code: Code
    display: str


class Card(Struct, frozen=True, kw_only=True):
    """One card; `detail` is GitHub-flavoured Markdown without HTML."""

    summary: str
    indicator: Indicator
    detail: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    override_reasons: tuple[OverrideReason, ...] = ()
    source: str = "Bedside"
    uuid: str = msgspec.field(default_factory=lambda: str(uuid.uuid4()))

    def __post_init__(self) -> None:
        if not 0 < len(self.summary) < SUMMARY_LIMIT:
            raise ValueError(f"a card's summary has 1 to {SUMMARY_LIMIT - 1} characters, not {len(self.summary)}")


def escape(text: str) -> str:
    """Text of the record inside Markdown: one line, never markup, never a link."""
    one_line = " ".join(text.split())
    return re.sub(
        r"[\\`*_\[\]<>#|~@&]|:(?=//)|(?<=www)\.", lambda found: f"\\{found[0]}", one_line, flags=re.IGNORECASE
    )

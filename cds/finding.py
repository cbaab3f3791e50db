"""The three things that a service may answer, and what they are made of."""

from __future__ import annotations

import math
from typing import Literal

import msgspec
from msgspec import Struct

from cds.codes import LABORATORY_PROCEDURE, Code
from cds.facts import Observed, Quantity, When

Indicator = Literal["info", "warning", "critical"]


class Factor(Struct, frozen=True, kw_only=True):
    """One input of the model: its value with unit, date and source, and its exact SHAP contribution.

    `contribution` is in log-odds and adds up; `points` is a share of the probability (a fraction) and is approximate.
    """

    key: str
    label: str
    contribution: float
    points: float
    quantity: Quantity | None = None
    text: str = ""
    when: When | None = None
    source: str = ""
    modifiable: bool = False


class Estimate(Struct, frozen=True, kw_only=True):
    """A model's probability (a fraction) with its explanation: base + contributions = margin, all in log-odds."""

    probability: float
    margin: float
    base: float
    factors: tuple[Factor, ...]
    threshold: float
    model: str
    version: str
    pattern: str = ""
    peers: float | None = None
    peers_text: str = ""

    def __post_init__(self) -> None:
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"probability {self.probability} is not a fraction")
        total = self.base + sum(factor.contribution for factor in self.factors)
        if not math.isclose(total, self.margin, abs_tol=1e-3):
            raise ValueError(f"contributions add up to {total}, not to the margin {self.margin}")


class Missing(Struct, frozen=True, kw_only=True):
    """An input that would help: never measured, or last measured too long ago."""

    label: str
    last: When | None = None

    @property
    def in_words(self) -> str:
        return f"{self.label}: {f'last {self.last.words}, too old to use' if self.last else 'not on record'}"


class Step(Struct, frozen=True, kw_only=True):
    """What the clinician could do next: order this test. `category` None: it is no laboratory's work."""

    label: str
    order: Code
    display: str
    category: Code | None = LABORATORY_PROCEDURE


class Finding(Struct, frozen=True, kw_only=True, tag=True):
    """The service has something to say; `rule` names which rule spoke, `alert` whether a card is worth showing."""

    rule: str
    alert: bool
    indicator: Indicator = "info"
    evidence: tuple[Observed, ...] = ()
    step: Step | None = None
    estimate: Estimate | None = None
    missing: tuple[Missing, ...] = ()
    cautions: tuple[str, ...] = ()


class NotEnoughData(Struct, frozen=True, kw_only=True, tag=True):
    """The question is open; `alert` only where a guideline asks for the test anyway."""

    rule: str
    missing: tuple[Missing, ...]
    alert: bool = False
    step: Step | None = None
    estimate: Estimate | None = None
    cautions: tuple[str, ...] = ()


class NotApplicable(Struct, frozen=True, kw_only=True, tag=True):
    """The question does not arise; `detail` is what in the record says so."""

    rule: str
    detail: str = ""


Outcome = Finding | NotEnoughData | NotApplicable
_decoder: msgspec.json.Decoder[Outcome] = msgspec.json.Decoder(Outcome)


def from_json(stored: bytes) -> Outcome:
    """The outcome as it was stored with `msgspec.json.encode`; the tag says which of the three."""
    return _decoder.decode(stored)

"""Numbers, units and dates as a clinician writes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cds.facts import Quantity, When

_UNITS = {"mm[Hg]": "mmHg", "kg/m2": "kg/m²", "mL/min/{1.73_m2}": "mL/min/1.73 m²", "umol/L": "µmol/L"}
_NARROW = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, kw_only=True)
class Frequency:
    """A probability said three ways that agree: the whole number is the same in words, in dots and in per cent."""

    probability: float

    @property
    def count(self) -> int:
        return round(self.probability * 100)

    @property
    def in_100(self) -> str:
        """Frequencies before percentages; never "0 in 100"."""
        return f"{self._whole()} in 100"

    @property
    def percent(self) -> str:
        words = {0: "under 1", 100: "over 99"}
        return f"{words.get(self.count, str(self.count))}{_NARROW}%"

    @property
    def dots_in_words(self) -> str:
        return f"{self.count} of 100 dots are filled."

    @property
    def dots(self) -> list[tuple[int, int, bool]]:
        """Centre and state of each of 100 dots, in four rows of 25."""
        return [(6 + 12 * (index % 25), 6 + 12 * (index // 25), index < self.count) for index in range(100)]

    def _whole(self) -> str:
        return {0: "Fewer than 1", 100: "More than 99"}.get(self.count, str(self.count))


def unit(ucum: str) -> str:
    return _UNITS.get(ucum, ucum)


def number(value: float) -> str:
    """As measured: up to two decimals below ten (creatinine), else one; none if it is whole."""
    return f"{value:.{2 if abs(value) < 10 else 1}f}".rstrip("0").rstrip(".")


def measured(quantity: Quantity) -> str:
    """A number never travels without its unit."""
    return f"{quantity.comparator}{number(quantity.value)}{_NARROW}{unit(quantity.unit)}"


def signed(value: float, *, decimals: int) -> str:
    """With a real minus sign, so that columns align; nothing is not signed."""
    text = f"{value:+.{decimals}f}"
    return text.replace("-", _MINUS) if float(text) else text[1:]


def day(when: When) -> str:
    """As precise as recorded: a year, a month, or a day."""
    form = {4: "%Y", 7: "%b %Y"}.get(len(when.text), "%-d %b %Y")
    return f"{when.day:{form}}"


def moment(at: datetime) -> str:
    """A time with its zone, for paper that may be read elsewhere."""
    offset = at.isoformat()[-6:]
    return f"{at:%-d %b %Y, %H:%M} (UTC{'' if offset == '+00:00' else offset})"

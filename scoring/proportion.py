"""How sure a counted share is."""

from __future__ import annotations

import math

from msgspec import Struct

_Z = 1.959964  # 95 %


class Share(Struct, frozen=True):
    """`count` of `of`, as a fraction, with its 95 % interval; nothing is known of none."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        return self.count / self.of if self.of else None

    @property
    def percent(self) -> tuple[float, float, float]:
        """The share and its interval, of 100."""
        low, high = self.interval
        return 100 * (self.value or 0.0), 100 * low, 100 * high

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval, which holds for small counts and for none or all.

        Brown, Cai, DasGupta: Interval estimation for a binomial proportion. Statistical Science 2001;16:101-133.
        """
        if not self.of:
            return 0.0, 1.0
        share, extra = self.count / self.of, _Z**2 / self.of
        middle = (share + extra / 2) / (1 + extra)
        half = _Z * math.sqrt(share * (1 - share) / self.of + extra / (4 * self.of)) / (1 + extra)
        return max(0.0, middle - half), min(1.0, middle + half)

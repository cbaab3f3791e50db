"""A spool's charts, answered by several processes side by side, in the order in which one alone would have answered them.

This process has every n-th part of the spool, and so has each of its crew, which asks no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from cds.crew import Crew
from cds.fhir.files import Chart
from cds.population.fold import Answer, Asking
from cds.population.spool import Contents, Spool
from cds.population.told import Told, heard, told

T = TypeVar("T")
BLOCK_BYTES = 16_000_000
END = b""  # of a part

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Told]).decode


@dataclass(frozen=True, kw_only=True)
class Charts:
    """Of a whole spool all but the first `after` patients, in blocks of `size`."""

    folder: Path
    contents: Contents
    after: int
    size: int

    def parts(self) -> list[int]:
        return [number for number, _ in self.contents.left(self.after)]

    def blocks(self, number: int) -> Iterator[list[Chart]]:
        done = dict(self.contents.left(self.after))[number]
        yield from blocks(Spool(self.folder).part(number, self.contents)[done:], self.size)


def share(
    crew: Crew,
    charts: Charts,
    *,
    here: Callable[[list[Chart]], T],
    there: Callable[[list[Chart]], bytes],
    hear: Callable[[bytes], T],
) -> Iterator[T]:
    """What `here` makes of the blocks of this process, and `there` of the others'. Raises Died."""
    parts, of = charts.parts(), crew.size + 1
    crew.start(partial(_told, there, charts, parts[number::of]) for number in range(1, of))
    for place, part in enumerate(parts):
        if place % of == 0:
            yield from map(here, charts.blocks(part))
        else:
            yield from map(hear, iter(partial(crew.told, place % of - 1), END))


def _told(work: Callable[[list[Chart]], bytes], charts: Charts, parts: list[int]) -> Iterator[bytes]:
    for part in parts:
        yield from map(work, charts.blocks(part))
        yield END


def answers(crew: Crew, asking: Asking, charts: Charts) -> Iterator[list[Answer]]:
    """Of each block. Raises Died."""
    there = partial(_tell, asking.apart() if crew.size else asking)
    return share(crew, charts, here=asking.answers, there=there, hear=partial(_hear, asking))


def _tell(asking: Asking, charts: list[Chart]) -> bytes:
    return _pack([told(answer, asking) for answer in asking.answers(charts)])


def _hear(asking: Asking, found: bytes) -> list[Answer]:
    block = [heard(one, asking) for one in _unpack(found)]
    asking.spare(block)
    return block


def blocks(charts: Iterable[Chart], size: int) -> Iterator[list[Chart]]:
    """So many patients, or fewer where their records are large."""
    block, held = list[Chart](), 0
    for chart in charts:
        block.append(chart)
        held += sum(len(raw) for raws in chart.resources.values() for raw in raws)
        if len(block) == size or held > BLOCK_BYTES:
            yield block
            block, held = [], 0
    if block:
        yield block

"""Every shape that is decoded is worked out before threads begin.

msgspec works a Struct out when it is decoded for the first time, and 0.22 crashes the process where two threads do so at
once: of 60 processes whose threads decoded the same Struct first, 10 died, and none that had it worked out before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec


def build() -> None:
    """For all modules that are imported. It takes some 20 ms, and nothing the second time.

    A Struct with a field that no JSON can say, a private key for one, is decoded by nobody.
    """
    for shape in _every_shape():
        with suppress(TypeError):
            msgspec.json.Decoder(shape)


def _every_shape(below: type[msgspec.Struct] = msgspec.Struct) -> Iterator[type[msgspec.Struct]]:
    for shape in below.__subclasses__():
        yield shape
        yield from _every_shape(shape)

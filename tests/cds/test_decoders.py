"""Every shape is worked out, and one that cannot be decoded stops no process from starting."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest

from cds import decoders
from hooks.conformance.signing import Signer


def undecodable(shape: type[msgspec.Struct]) -> bool:
    with suppress(TypeError):
        msgspec.json.Decoder(shape)
        return False
    return True


class Asked(list[type[msgspec.Struct]]):
    """Which decoders were asked for; each is made as always."""

    def __init__(self) -> None:
        self.make: Any = msgspec.json.Decoder

    def __call__(self, shape: type[msgspec.Struct]) -> object:
        self.append(shape)
        return self.make(shape)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked()
    monkeypatch.setattr(msgspec.json, "Decoder", asked)
    return asked


def test_a_struct_that_holds_keys_is_passed_over_and_the_shapes_after_it_are_still_worked_out(asked: Asked) -> None:
    class Later(msgspec.Struct):
        """Defined after all others, so that it is worked out last."""

    decoders.build()
    assert undecodable(Signer)
    assert asked.index(Signer) < asked.index(Later)

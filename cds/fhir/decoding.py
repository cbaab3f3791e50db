"""FHIR JSON to the shapes that we read: which shape a need's resources have, and what a decoder may say of a broken text."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from cds.fhir import shapes
from cds.needs import Need

ABSENT = {b"", b"null"}
UNREADABLE = (
    msgspec.DecodeError,
    UnicodeDecodeError,
    RecursionError,
)  # what a decoder says of a broken or hostile text
_SHAPES: dict[str, type] = {
    "Patient": shapes.Patient,
    "Observation": shapes.Observation,
    "ImagingStudy": shapes.ImagingStudy,
}


def shape_of(need: Need) -> type:
    """Of each resource that it asks for."""
    return _SHAPES.get(need.resource, shapes.Statement)


@lru_cache
def decoder(shape: type) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)


@lru_cache
def bundle_decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shapes.Bundle[shape])


def kind_of(raw: bytes | msgspec.Raw) -> shapes.Kind:
    """Type and id, as far as they can be read."""
    try:
        found: shapes.Kind = decoder(shapes.Kind).decode(raw)
    except UNREADABLE:
        return shapes.Kind()
    return found


def where_wrong(error: Exception) -> str:
    """Where in the JSON the shape is wrong, without the value: it may be a patient's."""
    return str(error).rpartition(" - at ")[2].strip("`") if " - at " in str(error) else "wrong shape"


for _shape in (*_SHAPES.values(), shapes.Statement):  # while one thread imports: see cds.decoders
    bundle_decoder(_shape)

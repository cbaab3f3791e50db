"""The data types of which the resources that we write are made (R4, "Data Types")."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from typing import Any

from cds.codes import Code

Resource = dict[str, Any]

DICOM_UID = "urn:dicom:uid"  # R4, "Identifier Systems": its values are urn:oid:...

_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2, "Char"


def coding(code: Code, display: str) -> Resource:
    return {"system": code.system, "code": code.code, "display": display}


def concept(code: Code, display: str) -> Resource:
    """A CodeableConcept whose text is the display."""
    return {"coding": [coding(code, display)], "text": display}


def references(sources: Iterable[str]) -> list[Resource]:
    """What stands in the chart by its place there; a DICOM object by its UID, which is no place."""
    return [_reference(source) for source in sources]


def _reference(source: str) -> Resource:
    if source.startswith("urn:oid:"):
        return {"identifier": {"system": DICOM_UID, "value": source}}
    return {"reference": source}


def narrative(*lines: str) -> Resource:
    """One paragraph a line; what is special in XHTML is escaped, what it cannot hold is left out."""
    paragraphs = "".join(f"<p>{escape(_NO_XML.sub('', line))}</p>" for line in lines if line)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}</div>'}


def attachment(content: bytes, *, content_type: str, title: str, created: datetime) -> Resource:
    """With its size in bytes and its SHA-1, as FHIR defines `hash`: a check against damage, and no seal."""
    return {
        "contentType": content_type,
        "data": base64.b64encode(content).decode(),
        "size": len(content),
        "hash": base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode(),
        "title": title,
        "creation": instant(created),
    }


def instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def without_empty(resource: Mapping[str, Any]) -> Resource:
    """FHIR knows no empty array and no empty string (R4 json, 2.6.2)."""
    return {name: value for name, value in resource.items() if value not in ([], "")}

"""Text, numbers and UIDs as DICOM allows them (PS3.5, section 6.2)."""

from __future__ import annotations

import unicodedata
import uuid

from django.conf import settings
from pydicom.config import RAISE
from pydicom.uid import UID
from pydicom.valuerep import DSfloat, format_number_as_ds

from cds.errors import BadInput

_LINE = 64  # characters in an LO, and in a component group of a PN
_GOES_ON = "…"
_PN_DELIMITERS = str.maketrans(dict.fromkeys("\\^=", " "))
_LO_DELIMITER = str.maketrans({"\\": "/"})


def paragraph(text: str) -> str:
    """UT: any length; line breaks are the only control characters that may stay."""
    try:
        text.encode()  # here and not on writing, where pydicom's own report of it fails
    except UnicodeEncodeError as error:
        raise BadInput("there is text that no character set can hold") from error
    return "".join(sign for sign in text if sign == "\n" or unicodedata.category(sign) != "Cc")


def line(text: str) -> str:
    """LO: one line for people to read. It is shortened where it must be, which shows, so never use it for what identifies.

    64 bytes: DICOM counts characters (PS3.5, 6.2), but not every reader does (dciodvfy).
    """
    whole = _one_line(text)
    if len(whole.encode()) <= _LINE:
        return whole
    return whole.encode()[: _LINE - len(_GOES_ON.encode())].decode(errors="ignore").rstrip() + _GOES_ON


def identifying(text: str, *, what: str) -> str:
    """LO for what identifies: as it is, or refused. A changed record number would be another patient's."""
    if text != _one_line(text) or not 0 < len(text) <= _LINE:
        raise BadInput(f"{what} cannot be written in DICOM")
    return text


def _one_line(text: str) -> str:
    return " ".join(paragraph(text).translate(_LO_DELIMITER).split())


def person_name(*, family: str, given: str, middle: str) -> str:
    """PN: family^given^middle, without what DICOM would read as a delimiter."""
    parts = [" ".join(paragraph(part).translate(_PN_DELIMITERS).split()) for part in (family, given, middle)]
    while len("^".join(parts).rstrip("^")) > _LINE:
        longest = max(range(len(parts)), key=lambda index: len(parts[index]))
        parts[longest] = parts[longest][:-1].rstrip()
    return "^".join(parts).rstrip("^")


def decimal(value: float, *, places: int = 4) -> DSfloat:
    """DS: at most 16 characters, so a float is rounded before it is written."""
    return DSfloat(format_number_as_ds(round(value, places) + 0.0))  # + 0.0 turns -0.0 into 0.0


def uid(*names: str) -> UID:
    """The same names give the same UID, so that a resend is the same object. Never name a patient here."""
    number = uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("https://bedside.dev/dicom", *names))).int
    try:
        return UID(f"{settings.DICOM_UID_ROOT}.{number}", validation_mode=RAISE)
    except ValueError as error:
        raise BadInput("DICOM_UID_ROOT does not leave room for a valid UID") from error

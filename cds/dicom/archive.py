"""The three kinds of archive that there are: a folder, a DICOMweb server, a DIMSE application entity."""

from __future__ import annotations

import ssl
from pathlib import Path

import requests
from msgspec import Struct


class Folder(Struct, frozen=True, kw_only=True):
    """Somebody fetches what lies there."""

    path: Path


class DicomWeb(Struct, frozen=True, kw_only=True):
    """PS3.18: `url` is the base of its services. `session` carries our credentials and limits (cds.http)."""

    url: str
    session: requests.Session
    private_network: bool = False


class Dimse(Struct, frozen=True, kw_only=True):
    """PS3.7 and PS3.8: `called` is its AE title, `calling` ours. Without `tls` in clear text, which DICOM calls usual."""

    host: str
    port: int
    called: str
    calling: str
    tls: ssl.SSLContext | None = None
    private_network: bool = False


Archive = Folder | DicomWeb | Dimse

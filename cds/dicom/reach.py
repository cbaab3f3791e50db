"""Is the archive there, and does it know us? Step by step, so that a failure has a name and a remedy."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import requests
from django.conf import settings
from pydicom.uid import ComprehensiveSRStorage, EncapsulatedPDFStorage
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at run time

from cds.dicom import dimse, stow, words
from cds.dicom.archive import Archive, DicomWeb, Dimse, Folder
from cds.errors import ArchiveError, FhirError, FhirUnreachable
from cds.http import allowed_addresses

_WRITTEN = {str(ComprehensiveSRStorage): "structured reports", str(EncapsulatedPDFStorage): "PDFs"}
_NETWORK = "Ask the network team whether this server may reach it, and the archive's people whether it is up."
_KNOWN = "Ask the archive's people to enter our AE title and this server's address, and compare its own AE title."


class Unreached(ArchiveError):
    """A step's problem, and what a person can do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


Steps = tuple[tuple[str, Callable[[], str]], ...]


def steps(archive: Archive) -> Steps:
    """In this order; the first that raises ends them. Each returns what was found."""
    match archive:
        case Folder():
            return (("Archive: folder", lambda: _write(archive)),)
        case DicomWeb():
            return (
                (
                    "Archive: host name and network address",
                    lambda: _resolve(_host(archive.url), archive.private_network),
                ),
                ("Archive: search (QIDO-RS)", lambda: _search(archive)),
            )
        case Dimse():
            return (
                ("Archive: host name and network address", lambda: _resolve(archive.host, archive.private_network)),
                ("Archive: connection", lambda: _connect(archive)),
                ("Archive: TLS", lambda: _shake_hands(archive)),
                ("Archive: association and C-ECHO", lambda: _echo(archive)),
            )


# --- A folder ----------------------------------------------------------------------------------------------------
def _write(archive: Folder) -> str:
    try:
        archive.path.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor, probe = tempfile.mkstemp(dir=archive.path, prefix=".")
        os.close(descriptor)
        os.unlink(probe)
    except OSError as error:
        raise Unreached(
            f"{archive.path} cannot be written ({error.strerror}).", "Correct DICOM_FOLDER or its permissions."
        ) from error
    return f"{archive.path} can be written"


# --- Its address -------------------------------------------------------------------------------------------------
def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _resolve(host: str, private_network: bool) -> str:
    try:
        addresses = allowed_addresses(host, private_network=private_network)
    except FhirUnreachable as error:
        raise Unreached(
            f"{host} does not resolve.", "Check the spelling; if it is right, ask the network team."
        ) from error
    except FhirError as error:
        raise Unreached(
            f"{host}: {error}.", "If the archive is inside on purpose, tick its “private network”."
        ) from error
    return f"{host} is known, at {addresses[0]}"


# --- DICOMweb ----------------------------------------------------------------------------------------------------
def _search(archive: DicomWeb) -> str:
    """For a study that cannot be there: a test must not read anybody's data."""
    try:
        stow.client(archive).search_for_studies(search_filters={"StudyInstanceUID": words.uid("nobody")}, limit=1)
    except requests.HTTPError as error:
        raise _answered(archive.url, error.response.status_code) from error
    except FhirError as error:
        raise Unreached(f"{archive.url}: no usable answer ({error}).", _NETWORK) from error
    except ValueError as error:
        remedy = "Check that the address is the base of DICOMweb and not a web page."
        raise Unreached(f"{archive.url} did not answer with DICOM JSON.", remedy) from error
    return "answered; whether it takes reports shows at the first one"


def _answered(url: str, status: int) -> Unreached:
    remedy = {401: "Enter user and secret again.", 403: "Ask the archive's people to allow it for this user."}
    otherwise = "Check that the address is the base under which /studies stands."
    return Unreached(f"A search at {url} was answered with {status}.", remedy.get(status, otherwise))


# --- DIMSE -------------------------------------------------------------------------------------------------------
def _connect(archive: Dimse) -> str:
    with _connected(archive):
        return f"port {archive.port} answers"


def _connected(archive: Dimse) -> socket.socket:
    try:
        return _first(dimse.addresses_of(archive), archive.port)
    except OSError as error:
        raise Unreached(
            f"{archive.host} port {archive.port}: {error.strerror or 'no connection in time'}.", _NETWORK
        ) from error


def _first(addresses: list[str], port: int) -> socket.socket:
    """Connected to the first that answers; of the last, the error."""
    for address in addresses[:-1]:
        with suppress(OSError):
            return socket.create_connection((address, port), settings.FHIR_TIMEOUT_SECONDS)
    return socket.create_connection((addresses[-1], port), settings.FHIR_TIMEOUT_SECONDS)


def _shake_hands(archive: Dimse) -> str:
    if archive.tls is None:
        return "switched off: reports and patients' names cross the network in clear text"
    try:
        with archive.tls.wrap_socket(_connected(archive), server_hostname=archive.host) as secured:
            return f"{secured.version()}, with a certificate that is trusted"
    except ssl.SSLCertVerificationError as error:
        remedy = "Enter who signed its certificate under “trusted certificates”; the host must be the name in it."
        raise Unreached(f"Its certificate is not trusted: {error.verify_message}.", remedy) from error
    except OSError as error:
        remedy = "Ask whether this port speaks TLS, and whether it wants a certificate of ours."
        raise Unreached(f"No TLS ({getattr(error, 'reason', None) or type(error).__name__}).", remedy) from error


def _echo(archive: Dimse) -> str:
    """PS3.4, annex A; and which of our objects it takes."""
    try:
        with dimse.associated(archive, [Verification, *_WRITTEN]) as association:
            taken = {context.abstract_syntax for context in association.accepted_contexts}
            answer = association.send_c_echo() if Verification in taken else None
    except ArchiveError as error:
        raise Unreached(f"{str(error)[:1].upper()}{str(error)[1:]}.", _KNOWN) from error
    if answer is not None and answer.get("Status") != 0:
        raise Unreached("C-ECHO was not answered with success.", _KNOWN)
    lacking = [name for uid, name in _WRITTEN.items() if uid not in taken]
    if lacking:
        raise Unreached(
            f"It takes no {' and no '.join(lacking)}.", "Ask its people to accept these SOP classes from us."
        )
    return "C-ECHO answered; structured reports and PDFs are accepted"

"""Over HTTP: STOW-RS (PS3.18, 10.5). What was stored stands in the answer's sequences, whatever its HTTP status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import ParseError

import requests
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset, FileDataset

from cds.dicom.archive import DicomWeb
from cds.dicom.status import SUCCESS, Status, status
from cds.errors import ArchiveError, ArchiveInvalid, ArchiveRefused, ArchiveUnreachable, FhirError, FhirUnreachable

_ACCEPT = "application/dicom+json, application/dicom+xml;q=0.5"
_SEQUENCES = ("ReferencedSOPSequence", "FailedSOPSequence", "OtherFailuresSequence")  # PS3.18, I.2
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_NO_ENTRY = {401, 403}
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ParseError)


def store(instances: Sequence[FileDataset], archive: DicomWeb) -> list[Status]:
    """One request for all."""
    said = _post(instances, archive)
    if not any(name in said for name in _SEQUENCES):
        raise ArchiveInvalid("the archive's answer does not say what it stored")
    kept = {
        str(item.get("ReferencedSOPInstanceUID")): item.get("WarningReason") or SUCCESS
        for item in _items(said, "ReferencedSOPSequence")
    }
    refused = {
        str(item.get("ReferencedSOPInstanceUID")): item.get("FailureReason")
        for item in _items(said, "FailedSOPSequence")
    }
    codes = kept | refused
    nameless = [item.get("FailureReason") for item in _items(said, "OtherFailuresSequence")]
    other = nameless[0] if nameless else None  # of an instance that the archive could not even name
    return [status(instance, codes.get(str(instance.SOPInstanceUID), other)) for instance in instances]


def client(archive: DicomWeb) -> DICOMwebClient:
    """One try each: whether to try again is the outbox's to decide."""
    found = DICOMwebClient(archive.url, session=archive.session, callback=_bare_type)
    found.set_http_retry_params(retry=False)
    return found


def _bare_type(response: requests.Response, **_: Any) -> None:
    """The client compares the whole header, and would take "application/dicom+json; charset=utf-8" for no answer."""
    if not response.headers.get("Content-Type", "").startswith("multipart/"):
        response.headers["Content-Type"] = response.headers.get("Content-Type", "").partition(";")[0].strip()


def _post(instances: Sequence[FileDataset], archive: DicomWeb) -> Dataset:
    archive.session.headers["Accept"] = _ACCEPT
    try:
        return client(archive).store_instances(instances)
    except requests.HTTPError as error:
        return _refused(error.response)
    except FhirError as error:
        raise unreached(error) from error
    except _UNREADABLE as error:
        raise ArchiveInvalid("the archive's answer cannot be read") from error


def _refused(answer: requests.Response) -> Dataset:
    """What a 4xx or 5xx says in its body; if nothing, the error that its status stands for."""
    try:
        return Dataset.from_json(answer.json())
    except _UNREADABLE:
        raise error_of(answer.status_code) from None


def error_of(status_code: int) -> ArchiveError:
    if status_code in _TRY_AGAIN:
        return ArchiveUnreachable(f"the archive is busy or has a fault (HTTP {status_code})")
    if status_code in _NO_ENTRY:
        return ArchiveRefused(f"the archive does not accept our credentials (HTTP {status_code})")
    return ArchiveRefused(f"the archive refused the request (HTTP {status_code})")


def unreached(error: FhirError) -> ArchiveError:
    """The network's answer in the archive's name."""
    if isinstance(error, FhirUnreachable):
        return ArchiveUnreachable("the archive did not answer")
    return ArchiveRefused(f"the archive's address cannot be used: {error}")


def _items(said: Dataset, sequence: str) -> Sequence[Dataset]:
    return said.get(sequence) or []

"""The hospital's image archive, which takes and lists instances (DICOM PS3.18, STOW-RS) and trusts its network."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pydicom
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from pydicom.errors import InvalidDicomError

from smartapp.demo_ehr import addresses

CANNOT_UNDERSTAND, NOT_ITS_CLASS = 0xC000, 0xA900  # PS3.18, I.2.2, "Failure Reason"
_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "Modality")


@dataclass(frozen=True, kw_only=True)
class Instance:
    study: str
    series: str
    sop_class: str
    uid: str
    modality: str
    content: bytes

    @property
    def url(self) -> str:
        return addresses.hospital(f"/dicomweb/studies/{self.study}/series/{self.series}/instances/{self.uid}")


@dataclass(frozen=True, kw_only=True)
class Failed:
    """What was not stored and why; without UIDs where it cannot even be said which instance it is."""

    reason: int
    sop_class: str = ""
    uid: str = ""


class Archive:
    """Instances by their UID, in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._instances: dict[str, Instance] = {}

    def keep(self, instance: Instance) -> None:
        with self._lock:
            self._instances[instance.uid] = instance

    def all(self) -> list[Instance]:
        with self._lock:
            return list(self._instances.values())

    def reset(self) -> None:
        with self._lock:
            self._instances.clear()


@lru_cache(maxsize=1)
def archive() -> Archive:
    return Archive()


def read_instance(content: bytes) -> Instance | Failed:
    """A DICOM file as far as an archive files it, or what keeps it out."""
    try:
        dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
    except InvalidDicomError:
        return Failed(reason=CANNOT_UNDERSTAND)
    sop_class, uid = str(dataset.get("SOPClassUID", "")), str(dataset.get("SOPInstanceUID", ""))
    if not (sop_class and uid):
        return Failed(reason=CANNOT_UNDERSTAND)
    if not all(dataset.get(name) for name in _NEEDED):
        return Failed(reason=NOT_ITS_CLASS, sop_class=sop_class, uid=uid)
    return Instance(
        study=str(dataset.StudyInstanceUID),
        series=str(dataset.SeriesInstanceUID),
        sop_class=sop_class,
        uid=uid,
        modality=str(dataset.Modality),
        content=content,
    )


def parts_of(body: bytes, boundary: str) -> list[bytes]:
    """The bodies of a multipart/related message; a binary part is cut out, never decoded."""
    chunks = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]
    return [chunk.partition(b"\r\n\r\n")[2] for chunk in chunks if not chunk.startswith(b"--")]


@csrf_exempt
@require_POST
def studies(request: HttpRequest) -> HttpResponse:
    """Stores each part: 200 when all were taken, 202 when some, 409 when none."""
    parameters = request.content_params or {}
    if request.content_type != "multipart/related" or not parameters.get("boundary"):
        return HttpResponse('send multipart/related; type="application/dicom"', status=415, content_type="text/plain")
    found = [read_instance(part) for part in parts_of(request.body, parameters["boundary"].strip('"'))]
    stored = [one for one in found if isinstance(one, Instance)]
    failed = [one for one in found if isinstance(one, Failed)]
    for instance in stored:
        archive().keep(instance)
    status = 200 if stored and not failed else 202 if stored else 409
    return JsonResponse(store_response(stored, failed), status=status, content_type="application/dicom+json")


def store_response(stored: list[Instance], failed: list[Failed]) -> dict[str, Any]:
    """PS3.18, I.2: stored, failed, and failures that belong to no instance; each sequence only where it has items."""
    sequences = {
        "00081199": [referenced(instance) for instance in stored],
        "00081198": [failure(one) for one in failed if one.uid],
        "0008119A": [failure(one) for one in failed if not one.uid],
    }
    return {tag: {"vr": "SQ", "Value": items} for tag, items in sequences.items() if items}


def failure(one: Failed) -> dict[str, Any]:
    named = {"00081150": value("UI", one.sop_class), "00081155": value("UI", one.uid)} if one.uid else {}
    return {**named, "00081197": value("US", one.reason)}


def referenced(instance: Instance) -> dict[str, Any]:
    return {
        "00081150": value("UI", instance.sop_class),
        "00081155": value("UI", instance.uid),
        "00081190": value("UR", instance.url),
    }


def value(vr: str, content: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [content]}


@require_GET
def instances(request: HttpRequest) -> HttpResponse:
    """What is kept, as a QIDO-RS search for instances would list it."""
    listed = [
        {
            **referenced(instance),
            "00080016": value("UI", instance.sop_class),
            "00080018": value("UI", instance.uid),
            "00080060": value("CS", instance.modality),
            "0020000D": value("UI", instance.study),
            "0020000E": value("UI", instance.series),
        }
        for instance in archive().all()
    ]
    return JsonResponse(listed, safe=False, content_type="application/dicom+json")


@require_GET
def instance(request: HttpRequest, study: str, series: str, uid: str) -> HttpResponse:
    """One instance as it was received (WADO-RS)."""
    found = [one for one in archive().all() if (one.study, one.series, one.uid) == (study, series, uid)]
    if not found:
        return HttpResponse(status=404)
    boundary = "instance"
    body = b"--instance\r\nContent-Type: application/dicom\r\n\r\n" + found[0].content + b"\r\n--instance--\r\n"
    return HttpResponse(body, content_type=f'multipart/related; type="application/dicom"; boundary={boundary}')

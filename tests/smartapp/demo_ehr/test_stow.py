"""The hospital's archive takes DICOM instances."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian, generate_uid

from smartapp.demo_ehr.stow import archive


@pytest.fixture(autouse=True)
def empty_archive() -> Iterator[None]:
    yield
    archive().reset()


def a_report(**changed: str) -> tuple[str, bytes]:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = ComprehensiveSRStorage, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality = "SR"
    dataset.TextValue = "a line\r\nand \r another"  # what a line-wise reader would break
    for name, content in changed.items():
        setattr(dataset, name, content)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    target = io.BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return str(dataset.SOPInstanceUID), target.getvalue()


def store(*contents: bytes) -> Any:
    parts = b"".join(
        b"--frontier\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n" for content in contents
    )
    kind = 'multipart/related; type="application/dicom"; boundary=frontier'
    return Client().generic("POST", "/demo-ehr/dicomweb/studies", parts + b"--frontier--\r\n", content_type=kind)


def test_a_report_is_stored_and_listed() -> None:
    uid, content = a_report()
    answer = store(content)
    listed = Client().get("/demo-ehr/dicomweb/instances").json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/dicom+json")
    assert answer.json()["00081199"]["Value"][0]["00081155"]["Value"] == [uid]
    assert [one["00080018"]["Value"] for one in listed] == [[uid]]


def test_a_stored_report_comes_back_byte_for_byte() -> None:
    _, content = a_report()
    url = store(content).json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    answer = Client().get("/demo-ehr" + url.partition("/demo-ehr")[2])
    assert content in answer.content


def test_one_bad_part_among_good_ones_is_reported() -> None:
    answer = store(a_report()[1], b"not dicom")
    assert answer.status_code == 202
    assert answer.json()["0008119A"]["Value"] == [{"00081197": {"vr": "US", "Value": [0xC000]}}]
    assert "00081198" not in answer.json()


def test_an_instance_that_belongs_to_no_study_is_named_among_the_failed() -> None:
    uid, content = a_report(StudyInstanceUID="")
    answer = store(a_report()[1], content)
    (failed,) = answer.json()["00081198"]["Value"]
    assert answer.status_code == 202
    assert (failed["00081155"]["Value"], failed["00081197"]["Value"]) == ([uid], [0xA900])
    assert len(Client().get("/demo-ehr/dicomweb/instances").json()) == 1


def test_nothing_readable_is_a_conflict() -> None:
    assert store(b"not dicom").status_code == 409


def test_another_content_type_is_refused() -> None:
    answer = Client().post("/demo-ehr/dicomweb/studies", b"x", content_type="application/dicom")
    assert answer.status_code == 415

"""There and back through a real Orthanc: STOW-RS, C-STORE with and without TLS, QIDO-RS and WADO-RS."""

from __future__ import annotations

from typing import Any

import msgspec
import pydicom
import pytest
import requests
from pydicom.dataset import FileDataset

from cds.connect import archive_of
from cds.dicom import stow
from cds.dicom.archive import DicomWeb
from cds.dicom.deliver import deliver
from cds.dicom.report import structured_report
from cds.errors import ArchiveRefused, ArchiveUnreachable
from cds.filing import instances
from cds.identity import PatientIdentity
from cds.models import Ehr, Pacs
from cds.records import Verification
from tests.cds.dicom.test_report import NAMES, named
from tests.cds.saved import ADA, OBSERVATION, REPORT
from tests.certificates import Authority
from tests.orthanc import AE_TITLE, PASSWORD, USER, Orthanc

pytestmark = pytest.mark.django_db


def report(patient: PatientIdentity = ADA, *, assessment: str = REPORT.assessment_id) -> FileDataset:
    record = msgspec.structs.replace(REPORT, assessment_id=assessment)
    return structured_report(record, measured=OBSERVATION, patient=patient)


def web(ehr: Ehr, at: Orthanc, **changed: Any) -> Pacs:
    entered = {"url": at.dicomweb, "user": USER, "secret": PASSWORD.encode(), "private_network": True}
    return Pacs.objects.create(ehr=ehr, kind=Pacs.Kind.DICOMWEB, **(entered | changed))


def dimse(ehr: Ehr, at: Orthanc, **changed: Any) -> Pacs:
    entered = {"host": "127.0.0.1", "port": at.dicom_port, "called_ae": AE_TITLE, "private_network": True}
    return Pacs.objects.create(ehr=ehr, kind=Pacs.Kind.DIMSE, **(entered | changed))


def secured(authority: Authority) -> dict[str, Any]:
    certificate, key = authority.issue("Bedside")
    return {
        "tls": True,
        "trusted_certificates": authority.certificate,
        "certificate": certificate,
        "certificate_key": key.encode(),
    }


def fetched(at: Orthanc, instance: FileDataset) -> pydicom.Dataset:
    """By QIDO-RS and WADO-RS, as any viewer would."""
    session = requests.Session()
    session.auth = (USER, PASSWORD)
    client = stow.client(DicomWeb(url=at.dicomweb, session=session))
    found = client.search_for_instances(search_filters={"SOPInstanceUID": str(instance.SOPInstanceUID)})
    assert len(found) == 1
    return client.retrieve_instance(instance.StudyInstanceUID, instance.SeriesInstanceUID, instance.SOPInstanceUID)


@pytest.mark.parametrize("way", [web, dimse])
@pytest.mark.parametrize("case", NAMES)
def test_what_was_sent_comes_back_as_it_was(case: str, way: Any, ehr: Ehr, orthanc: Orthanc) -> None:
    sent = report(named(case), assessment=f"{way.__name__} {case}")
    way(ehr, orthanc)
    delivered = deliver([sent], to=archive_of(ehr))
    assert delivered.uids == (sent.SOPInstanceUID,)
    assert delivered.remarks == ()
    assert fetched(orthanc, sent) == sent


def test_sent_twice_and_both_ways_it_is_one_instance(ehr: Ehr, orthanc: Orthanc) -> None:
    sent = report(assessment="twice")
    row = web(ehr, orthanc)
    deliver([sent, sent], to=archive_of(ehr))
    row.delete()
    dimse(ehr, orthanc)
    deliver([sent], to=archive_of(ehr))
    assert fetched(orthanc, sent) == sent


def test_the_patient_is_found_by_record_number(ehr: Ehr, orthanc: Orthanc) -> None:
    web(ehr, orthanc)
    sent = report(msgspec.structs.replace(ADA, mrn="FIND-ME"), assessment="found by number")
    deliver([sent], to=archive_of(ehr))
    to = archive_of(ehr)
    assert isinstance(to, DicomWeb)
    found = stow.client(to).search_for_studies(search_filters={"PatientID": "FIND-ME"})
    assert [one["0020000D"]["Value"] for one in found] == [[sent.StudyInstanceUID]]


def test_over_tls_both_sides_show_who_they_are(ehr: Ehr, secure_orthanc: Orthanc, authority: Authority) -> None:
    dimse(ehr, secure_orthanc, **secured(authority))
    sent = report()
    deliver([sent], to=archive_of(ehr))
    assert fetched(secure_orthanc, sent) == sent


@pytest.mark.parametrize(
    "wrong", [{"tls": False}, {"trusted_certificates": ""}, {"certificate": ""}], ids=["clear", "stranger", "unnamed"]
)
def test_what_tls_does_not_allow_is_not_sent(
    wrong: dict[str, Any], ehr: Ehr, secure_orthanc: Orthanc, authority: Authority
) -> None:
    dimse(ehr, secure_orthanc, **(secured(authority) | wrong))
    with pytest.raises(ArchiveUnreachable, match="TLS"):
        deliver([report()], to=archive_of(ehr))


def test_a_wrong_password_is_a_refusal_that_trying_again_does_not_mend(ehr: Ehr, orthanc: Orthanc) -> None:
    web(ehr, orthanc, secret=b"wrong")
    with pytest.raises(ArchiveRefused, match="does not accept our credentials") as caught:
        deliver([report()], to=archive_of(ehr))
    assert not caught.value.retry


def test_an_archive_that_does_not_know_its_own_title_is_a_refusal(ehr: Ehr, orthanc: Orthanc) -> None:
    dimse(ehr, orthanc, called_ae="OTHER")
    with pytest.raises(ArchiveRefused, match="Called AE title not recognised") as caught:
        deliver([report()], to=archive_of(ehr))
    assert not caught.value.retry


def test_orthanc_refuses_what_it_cannot_file(ehr: Ehr, orthanc: Orthanc) -> None:
    web(ehr, orthanc)
    unfiled = report(assessment="unfiled")
    unfiled.StudyInstanceUID = ""
    with pytest.raises(ArchiveRefused, match="1 of 2") as caught:
        deliver([report(assessment="filed"), unfiled], to=archive_of(ehr))
    assert len(caught.value.stored) == 1


def test_a_verified_report_comes_back_and_leads_to_the_one_before_it(ehr: Ehr, orthanc: Orthanc) -> None:
    web(ehr, orthanc)
    record = msgspec.structs.replace(REPORT, assessment_id="vouched for")
    by = Verification(name="Dr. Chika Okafor", organization="Demo hospital", at=record.at)
    first, twin = instances(record, measured=OBSERVATION, patient=ADA, ehr=ehr)
    second, signed = instances(record, measured=OBSERVATION, patient=ADA, ehr=ehr, verified=by)
    deliver([first, twin], to=archive_of(ehr))
    assert deliver([second, signed], to=archive_of(ehr)).remarks == ()
    back = fetched(orthanc, second)
    assert back == second
    study = back.PredecessorDocumentsSequence[0]
    series = study.ReferencedSeriesSequence[0]
    named_there = (study.StudyInstanceUID, series.SeriesInstanceUID, series.ReferencedSOPSequence[0])
    to = archive_of(ehr)
    assert isinstance(to, DicomWeb)
    before = stow.client(to).retrieve_instance(*named_there[:2], named_there[2].ReferencedSOPInstanceUID)
    assert (before, before.SOPClassUID) == (first, named_there[2].ReferencedSOPClassUID)

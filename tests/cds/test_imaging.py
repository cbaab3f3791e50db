"""Looking in a real archive: whose studies and numbers are found, when it is asked at all, and what is said if it fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
import requests
from django.core.exceptions import ValidationError
from pydicom.dataset import Dataset, FileDataset

from cds import registry
from cds.cards import Card
from cds.connect import archive_of, bearer_client
from cds.context import PatientContext
from cds.dicom import stow
from cds.dicom.archive import DicomWeb
from cds.dicom.deliver import deliver
from cds.dicom.find import Search
from cds.finding import NotApplicable, Outcome
from cds.imaging import with_imaging
from cds.models import Ehr, Pacs
from cds.services.diabetes.tests.charts import chart as diabetes_chart
from cds.services.diabetes.tests.charts import measured
from cds.services.metformin_renal.tests.charts import AUCKLAND, NOW, drug, egfr, prescribing
from tests.cds.dicom.foreign import HEIGHT, WEIGHT, ct, echo, number
from tests.cds.dicom.test_orthanc import dimse, web
from tests.cds.saved import ADA
from tests.orthanc import PASSWORD, USER, Orthanc
from tests.pacs import WebArchive
from tests.serving import serving

pytestmark = pytest.mark.django_db
METFORMIN, DIABETES = registry.get("metformin-renal"), registry.get("diabetes-risk")
YESTERDAY = NOW - timedelta(hours=20)


@pytest.fixture
def there(ehr: Ehr) -> Ehr:
    """In Auckland, where the charts of these tests are kept; it names record numbers by the system that Ada has."""
    ehr.time_zone, ehr.mrn_system, ehr.private_network = "Pacific/Auckland", ADA.issuer, True
    ehr.save()
    return ehr


def searched(ehr: Ehr, at: Orthanc) -> Pacs:
    return web(ehr, at, searched=True)


def patient(mrn: str, **more: Any) -> msgspec.Raw:
    found = {"resourceType": "Patient", "id": "1", "birthDate": "1964-08-09", **more}
    return msgspec.Raw(msgspec.json.encode(found | {"identifier": [{"system": ADA.issuer, "value": mrn}]}))


def kept(ehr: Ehr, *instances: FileDataset, mrn: str) -> None:
    for one in instances:
        one.PatientID = mrn
    deliver(list(instances), to=archive_of(ehr))


def looked(
    context: PatientContext, service: Any = METFORMIN, *, ehr: Ehr, mrn: str, who: msgspec.Raw | None = None
) -> PatientContext:
    return with_imaging(context, service, ehr=ehr, client=None, patient=who or patient(mrn))


def answer(context: PatientContext, service: Any = METFORMIN) -> tuple[Outcome, list[Card]]:
    outcome = service.assess(context, model=None, threshold=0.1)
    return outcome, service.cards(outcome, context)


def test_a_ct_with_contrast_that_only_the_archive_knows_is_a_warning(there: Ehr, orthanc: Orthanc) -> None:
    searched(there, orthanc)
    kept(there, ct("CT abdomen W contrast IV", at=YESTERDAY), mrn="IMG-1")
    context = prescribing(egfr(55), unread=("imaging",))
    assert answer(context)[0].rule != "contrast"
    found = looked(context, ehr=there, mrn="IMG-1")
    outcome, (card,) = answer(found)
    assert (outcome.rule, found.unread) == ("contrast", ())
    assert "CT abdomen W contrast IV" in f"{card.summary} {card.detail}"
    assert found.imaging[0].start is not None
    assert found.imaging[0].start.latest == YESTERDAY.replace(microsecond=0)


def test_studies_of_last_month_and_of_other_people_are_not_found(there: Ehr, orthanc: Orthanc) -> None:
    searched(there, orthanc)
    kept(there, ct("CT W contrast", at=NOW - timedelta(days=30)), mrn="IMG-2")
    kept(there, ct("CT W contrast", at=YESTERDAY), mrn="IMG-22")
    assert looked(prescribing(egfr(55)), ehr=there, mrn="IMG-2").imaging == ()


def test_the_same_number_with_another_date_of_birth_is_somebody_else(there: Ehr, orthanc: Orthanc) -> None:
    searched(there, orthanc)
    kept(there, ct("CT W contrast", at=YESTERDAY, PatientBirthDate="19990101"), mrn="IMG-3")
    assert looked(prescribing(egfr(55)), ehr=there, mrn="IMG-3").imaging == ()
    assert (
        len(looked(prescribing(egfr(55)), ehr=there, mrn="IMG-3", who=patient("IMG-3", birthDate="1999")).imaging) == 1
    )


def _of_issuer(oid: str) -> FileDataset:
    issuer = Dataset()
    issuer.UniversalEntityID, issuer.UniversalEntityIDType = oid, "ISO"
    content = (number(WEIGHT, 80, "kg"), number(HEIGHT, 170, "cm"))
    return echo(*content, at=YESTERDAY, IssuerOfPatientIDQualifiersSequence=[issuer])


@pytest.mark.parametrize(("oid", "whose"), [("1.2.3.4", 0), (ADA.issuer.removeprefix("urn:oid:"), 2)])
def test_the_same_number_of_another_issuer_is_somebody_else(oid: str, whose: int, there: Ehr, orthanc: Orthanc) -> None:
    searched(there, orthanc)
    mrn = f"IMG-4-{whose}"
    kept(there, _of_issuer(oid), mrn=mrn)
    found = looked(diabetes_chart(), DIABETES, ehr=there, mrn=mrn)
    assert len(found.all("weight") + found.all("height")) == whose


def test_weight_and_height_of_an_echo_report_become_the_bmi_and_it_is_said_that_nobody_verified_them(
    there: Ehr, orthanc: Orthanc
) -> None:
    searched(there, orthanc)
    kept(there, echo(number(WEIGHT, 80, "kg"), number(HEIGHT, 170, "cm"), at=YESTERDAY), mrn="IMG-5")
    found = looked(diabetes_chart(), DIABETES, ehr=there, mrn="IMG-5")
    assert (found.all("weight")[0].quantity.value, found.issues) == (80.0, ())
    outcome, _ = answer(found, DIABETES)
    assert not isinstance(outcome, NotApplicable)
    assert "BMI: from an imaging report that nobody has verified." in outcome.cautions


def test_where_the_chart_has_a_bmi_the_archive_is_not_asked(there: Ehr) -> None:
    Pacs.objects.create(ehr=there, kind=Pacs.Kind.DICOMWEB, url="https://nobody.invalid/dicom", searched=True)
    context = diabetes_chart(measured("bmi", 27.0))
    assert looked(context, DIABETES, ehr=there, mrn="IMG-6") is context


def test_where_no_metformin_is_concerned_the_archive_is_not_asked(there: Ehr) -> None:
    Pacs.objects.create(ehr=there, kind=Pacs.Kind.DICOMWEB, url="https://nobody.invalid/dicom", searched=True)
    context = prescribing(egfr(55), draft=drug("Ramipril 5 mg", status="draft"))
    assert looked(context, ehr=there, mrn="IMG-7") is context


def test_an_archive_that_nobody_switched_on_is_not_asked(there: Ehr, orthanc: Orthanc) -> None:
    web(there, orthanc)
    kept(there, ct("CT W contrast", at=YESTERDAY), mrn="IMG-8")
    assert looked(prescribing(egfr(55)), ehr=there, mrn="IMG-8").imaging == ()


def test_whose_token_does_not_open_imaging_studies_does_not_get_them_from_the_archive(
    there: Ehr, orthanc: Orthanc
) -> None:
    searched(there, orthanc)
    kept(there, ct("CT W contrast", at=YESTERDAY), mrn="IMG-9")
    client = bearer_client(there, "token", opens=lambda need: need.resource != "ImagingStudy")
    found = with_imaging(prescribing(egfr(55)), METFORMIN, ehr=there, client=client, patient=patient("IMG-9"))
    assert found.imaging == ()
    assert [issue.reason for issue in found.issues] == ["the imaging archive is not opened to you"]


@pytest.mark.parametrize("wrong", ["password", "no-number", "time"])
def test_what_goes_wrong_is_said_and_the_answer_comes_without_it(wrong: str, there: Ehr, orthanc: Orthanc) -> None:
    row = searched(there, orthanc)
    if wrong == "password":
        row.secret = b"wrong"
        row.save()
    who = msgspec.Raw(b'{"resourceType":"Patient","id":"1"}') if wrong == "no-number" else patient("IMG-10")
    found = with_imaging(
        prescribing(egfr(55)), METFORMIN, ehr=there, client=None, patient=who, seconds=0 if wrong == "time" else 10
    )
    assert [issue.reason for issue in found.issues] == ["the imaging archive could not be searched"]
    assert answer(found)[0].rule == "no-objection"


@pytest.mark.parametrize(("kind", "body"), [("text/html", b"<html>"), ("application/dicom+json", b'[{"00100020": 5}]')])
def test_an_answer_that_is_no_dicom_is_said(kind: str, body: bytes, there: Ehr) -> None:
    with serving(WebArchive()) as stranger:
        stranger.kind, stranger.body = kind, body
        Pacs.objects.create(ehr=there, kind=Pacs.Kind.DICOMWEB, url=stranger.url, private_network=True, searched=True)
        found = looked(prescribing(egfr(55)), ehr=there, mrn="IMG-11")
    assert [issue.reason for issue in found.issues] == ["the imaging archive could not be searched"]


def test_only_dicomweb_can_be_switched_on(there: Ehr, orthanc: Orthanc) -> None:
    row = dimse(there, orthanc, searched=True)
    with pytest.raises(ValidationError, match="Only DICOMweb"):
        row.clean()


def test_at_most_the_newest_ten_reports_are_fetched(there: Ehr, orthanc: Orthanc) -> None:
    searched(there, orthanc)
    reports = [echo(number(WEIGHT, 60 + day, "kg"), at=NOW - timedelta(days=day)) for day in range(12)]
    kept(there, *reports, mrn="IMG-12")
    session = requests.Session()
    session.auth = (USER, PASSWORD)
    archive = DicomWeb(url=orthanc.dicomweb, session=session)
    assert len(stow.client(archive).search_for_series(search_filters={"PatientID": "IMG-12"})) == 12
    search = Search(archive=archive, patient=msgspec.structs.replace(ADA, mrn="IMG-12"), zone=AUCKLAND)
    found = list(search.reports(since=(NOW - timedelta(days=20)).date()))
    assert [one.SOPInstanceUID for one in found] == [one.SOPInstanceUID for one in reports[:10]]

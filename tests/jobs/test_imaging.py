"""The whole line with an archive that is searched: a prescription is signed, and radiology's list speaks up."""

from __future__ import annotations

from datetime import timedelta

from cds.connect import archive_of
from cds.dicom.deliver import deliver
from cds.fhir.identity import identity
from cds.models import Assessment, Ehr
from smartapp.demo_ehr import prescribing
from smartapp.demo_ehr.store import chart_store
from tests.cds.dicom.foreign import ct
from tests.cds.dicom.test_orthanc import web
from tests.orthanc import Orthanc

PATIENT = "ada"


def summaries() -> list[str]:
    asked = prescribing.sign(PATIENT, anyway=False).asked
    assert not asked.problems
    return [str(card) for card in asked.cards]


def test_an_angiography_that_only_the_archive_knows_is_on_the_card_of_who_signs_metformin(
    hospital: Ehr, orthanc: Orthanc
) -> None:
    web(hospital, orthanc, searched=True)
    assert not any("contrast" in card for card in summaries())
    who = identity(chart_store().read("Patient", PATIENT), mrn_system=hospital.mrn_system)
    study = ct("Coronary angiography", at=hospital.now() - timedelta(hours=20), PatientBirthDate="")
    study.Modality, study.PatientID = "XA", who.mrn
    deliver([study], to=archive_of(hospital))
    assert any("Coronary angiography" in card for card in summaries())
    kept = Assessment.objects.latest("created_at")
    assert [one.text for one in kept.context.imaging] == ["Coronary angiography"]

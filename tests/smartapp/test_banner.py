"""Who this is: read from the EHR each time, and never guessed."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest
from django.utils import timezone

from cds.connect import bearer_client
from cds.errors import FhirInvalid
from cds.identity import PatientIdentity
from cds.models import Ehr
from smartapp.banner import age, name_of, read_patient
from smartapp.demo_ehr import hooks
from smartapp.models import Grant, SmartSession
from smartapp.stops import Stopped
from tests.smartapp.stranger import Hospital


def session_at(ehr: Ehr, patient_id: str, *, token: str = "t") -> SmartSession:
    grant = Grant(token=token, scopes=(), patient_id=patient_id, actor="a")
    expires_at = timezone.now() + timedelta(hours=1)
    return SmartSession(ehr=ehr, encrypted_grant=msgspec.json.encode(grant), expires_at=expires_at)


def test_the_patient_is_read_with_the_record_number_of_this_ehr(hospital: Ehr) -> None:
    patient = read_patient(session_at(hospital, "ada", token=hooks.bearer("ada")))
    assert (patient.name, patient.mrn) == ("Ada Lindqvist", "NG-100461")


def test_another_patient_than_the_tokens_is_a_stop(other_ehr: Ehr, stranger: Hospital) -> None:
    stranger.content = b'{"resourceType": "Patient", "id": "somebody-else"}'
    with pytest.raises(Stopped, match="NO_PATIENT"):
        read_patient(session_at(other_ehr, "ada"))


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'"Patient"', b'{"resourceType": "OperationOutcome"}'])
def test_an_answer_that_is_no_patient_is_refused(other_ehr: Ehr, stranger: Hospital, content: bytes) -> None:
    stranger.content = content
    with pytest.raises(FhirInvalid):
        read_patient(session_at(other_ehr, "ada"))


@pytest.mark.parametrize("changed", [{"family": "B"}, {"mrn": "2"}, {"birth_date": None}, {"sex": "male"}], ids=str)
def test_any_change_of_what_the_banner_shows_is_noticed(changed: dict[str, object]) -> None:
    seen = PatientIdentity(id="1", family="A", mrn="1", sex="female", birth_date=date(1960, 2, 29))
    assert seen.as_seen() != msgspec.structs.replace(seen, **changed).as_seen()


def test_age_is_in_whole_years_and_unknown_without_a_birth_date(ehr: Ehr) -> None:
    session, today = session_at(ehr, "p"), ehr.now().date()
    day = today.replace(day=min(today.day, 28))
    assert age(PatientIdentity(id="1", birth_date=day.replace(year=day.year - 50)), session) == 50
    assert age(PatientIdentity(id="1", birth_date=today + timedelta(days=1 - 365 * 4)), session) == 3
    assert age(PatientIdentity(id="1"), session) is None


def test_the_clinicians_name_is_read_if_the_ehr_tells(hospital: Ehr) -> None:
    client = bearer_client(hospital, hooks.bearer("ada", "openid fhirUser patient/*.rs"))
    assert "Okafor" in name_of("Practitioner/dr-okafor", client=client)


@pytest.mark.parametrize("user", ["", "Practitioner/nobody"])
def test_a_clinician_without_a_name_is_no_reason_to_stop(hospital: Ehr, user: str) -> None:
    assert name_of(user, client=bearer_client(hospital, hooks.bearer("ada"))) == ""

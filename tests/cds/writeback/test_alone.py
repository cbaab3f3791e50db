"""Without a clinician: what waits goes on by our own access, and the policy `auto` needs nobody to press."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cds import assess, system, tasks
from cds.connect import bearer_client
from cds.gather import gather
from cds.models import Assessment, AuditEntry, Ehr, EnabledService, WriteBack
from cds.writeback import automatic, due, resume
from smartapp.demo_ehr import hooks
from smartapp.demo_ehr.store import chart_store
from tests.cds.writeback.test_save import DOCTOR, SERVICE, assessed, by_us, client_of, counts, opened, press, read

Status = WriteBack.Status
OVER = "not a token any more"


@pytest.fixture(autouse=True)
def no_token_kept() -> Iterator[None]:
    system.forget()
    yield
    system.forget()


@pytest.fixture
def registered(hospital: Ehr) -> Ehr:
    """The demo hospital knows our system client, which signs with our keys."""
    hospital.system_client_id = "bedside"
    hospital.save()
    return hospital


@pytest.fixture
def waiting(registered: Ehr) -> WriteBack:
    """Pressed when the session had just ended."""
    return press(assessed(registered), client=bearer_client(registered, OVER), patient=read(registered))["chart"]


def resumed(row: WriteBack) -> WriteBack:
    resume(row.pk)
    row.refresh_from_db()
    return row


def changed_patient(**changes: Any) -> None:
    chart_store().update({**chart_store().read("Patient", "ada"), **changes}, author="a test")


def test_after_the_session_has_ended_it_goes_on_by_our_own_access(waiting: WriteBack) -> None:
    assert (waiting.status, waiting.failure) == (
        Status.QUEUED,
        "The session at the EHR is over. (FhirRefused 401)",
    )
    row = resumed(waiting)
    assert (row.status, row.failure) == (Status.SENT, "")
    assert set(counts().values()) == {1}
    (risk,), (provenance,) = by_us("RiskAssessment"), by_us("Provenance")
    assert risk["status"] == "final"  # it was confirmed, though it went later
    assert DOCTOR in [agent["who"]["reference"] for agent in provenance["agent"]]


def test_no_token_is_kept_in_the_row_or_in_a_message(waiting: WriteBack) -> None:
    stored = str(WriteBack.objects.filter(pk=waiting.pk).values())
    assert OVER not in stored
    WriteBack.objects.update(due_at=waiting.requested_at)
    assert all(isinstance(row_id, int) for row_id in due())


def test_a_patient_who_changed_since_is_not_written_to_until_somebody_looks(waiting: WriteBack) -> None:
    changed_patient(birthDate="1999-01-01")
    row = resumed(waiting)
    assert row.status == Status.WAITING
    assert "has changed since this was confirmed" in row.failure
    assert set(counts().values()) == {0}


@pytest.mark.parametrize("gone", ["deleted", "merged"])
def test_a_patient_who_is_gone_since_is_not_written_to(waiting: WriteBack, gone: str) -> None:
    if gone == "deleted":
        chart_store().delete("Patient", "ada")
    else:
        changed_patient(link=[{"other": {"reference": "Patient/bruno"}, "type": "replaced-by"}])
    row = resumed(waiting)
    assert row.status == Status.FAILED
    assert gone in row.failure
    assert set(counts().values()) == {0}


def test_without_access_of_our_own_the_row_waits_for_the_next_press(waiting: WriteBack) -> None:
    Ehr.objects.update(system_client_id="")
    assert resumed(waiting).status == Status.WAITING


# --- auto ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def auto(registered: Ehr) -> Ehr:
    EnabledService.objects.update(write_back=EnabledService.WriteBackPolicy.AUTO)
    return registered


def send_all() -> list[str]:
    for row_id in due():
        resume(row_id)
    return sorted(WriteBack.objects.values_list("status", flat=True))


def test_by_policy_it_is_written_when_assessed_as_preliminary_and_by_nobody(auto: Ehr) -> None:
    context = gather(SERVICE, patient_id="ada", now=auto.now(), client=client_of(auto))
    assessment = opened(auto, context)
    tasks.assess(str(assessment.pk))
    assert send_all() == [Status.SENT, Status.SENT]
    (risk,), (provenance,) = by_us("RiskAssessment"), by_us("Provenance")
    assert risk["status"] == "preliminary"
    assert len(provenance["agent"]) == 1  # the algorithm
    actors = AuditEntry.objects.filter(action="write-back").values_list("actor", flat=True)
    assert set(actors) == {"bedside"}


def test_a_hook_leads_to_a_written_answer_without_anybody_pressing(auto: Ehr) -> None:
    assert len(hooks.call_hook("ada", "diabetes-risk").json()["cards"]) == 1
    tasks.assess(str(Assessment.objects.get(service_id="diabetes-risk").pk))  # a worker that was slow: twice is once
    assert send_all() == [Status.SENT, Status.SENT]
    (risk,) = by_us("RiskAssessment")
    assert (risk["status"], risk["subject"]["reference"]) == ("preliminary", "Patient/ada")


def test_what_a_killed_worker_did_not_queue_is_queued_by_the_beat_and_once(auto: Ehr) -> None:
    assessed(auto)
    assert not WriteBack.objects.exists()
    everything = Assessment.objects.all()
    assert automatic(everything) == 2
    assert automatic(everything) == 0


@pytest.mark.parametrize(
    "change",
    [{"stage": EnabledService.Stage.CANARY}, {"write_back": EnabledService.WriteBackPolicy.SUGGEST}],
    ids=["canary", "suggest"],
)
def test_only_by_that_policy_and_only_of_live_services(auto: Ehr, change: dict[str, str]) -> None:
    assessed(auto)
    everything = Assessment.objects.all()
    assert automatic(everything) == 2
    EnabledService.objects.update(**change)
    assert send_all() == [Status.DECLINED, Status.DECLINED]
    WriteBack.objects.all().delete()
    assert automatic(everything) == 0


def test_a_restricted_chart_is_never_written_to_without_a_clinician(auto: Ehr) -> None:
    assessed(auto)
    automatic(Assessment.objects.all())
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    changed_patient(meta={"security": [label]})
    assert send_all() == [Status.DECLINED, Status.DECLINED]
    assert set(counts().values()) == {0}
    WriteBack.objects.all().delete()
    context = gather(SERVICE, patient_id="ada", now=auto.now(), client=client_of(auto))
    assert context.patient.restricted
    tasks.assess(str(opened(auto, context).pk))
    assess.lost()
    assert not WriteBack.objects.exists()

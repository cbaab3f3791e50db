"""Two records of one person become one, and perhaps two again: what was saved follows, and so does a patient's no."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from cds import merges, tasks
from cds.merges import Links
from cds.models import Assessment, AuditEntry, Ehr, Merge, OptOut, WriteBack
from cds.opt_out import opt_out
from cds.writeback import due, resume
from cds.writeback.standing import unmarked
from smartapp.demo_ehr import hooks
from smartapp.demo_ehr.store import chart_store
from tests.cds.writeback.test_alone import no_token_kept, registered  # noqa: F401 -- fixtures
from tests.cds.writeback.test_save import assessed, by_us, client_of, press, read
from tests.naming import named

Status = WriteBack.Status
ERROR = "entered-in-error"


@pytest.fixture
def saved(registered: Ehr) -> Assessment:  # noqa: F811
    assessment = assessed(registered)
    assert press(assessment, client=client_of(registered), patient=read(registered))["chart"].status == Status.SENT
    return assessment


def link(patient: str, *links: dict[str, Any]) -> None:
    chart_store().update({**chart_store().read("Patient", patient), "link": list(links)}, author="a test")


def link_ada(*links: dict[str, Any]) -> None:
    link("ada", *links)


def merge_ada() -> None:
    link_ada({"other": {"reference": "Patient/bruno"}, "type": "replaced-by"})


def merge_into_bruno() -> None:
    """Told by the record that goes on."""
    link("bruno", {"other": {"reference": "Patient/ada"}, "type": "replaces"})


def move_results(to: str) -> None:
    """As many servers do by themselves."""
    for one in (*by_us("RiskAssessment"), *by_us("Observation")):
        chart_store().update({**one, "subject": {"reference": f"Patient/{to}"}}, author="a test")


def open_chart(patient: str = "ada") -> int:
    return hooks.call_hook(patient, "diabetes-risk").status_code


def see_to_it() -> None:
    """What beat sends off within a minute."""
    tasks.follow_merges()
    for row_id in due():
        resume(row_id)


def statuses() -> set[str]:
    return {one["status"] for one in (*by_us("RiskAssessment"), *by_us("Observation"))}


def test_a_merge_is_noticed_when_the_old_chart_is_opened_and_what_was_saved_there_is_retracted(
    saved: Assessment,
) -> None:
    merge_ada()
    assert open_chart() == 409
    see_to_it()
    assert statuses() == {ERROR}
    saved.refresh_from_db()
    assert saved.retraction == "the patient's record was merged into another one"
    assert saved.retraction in by_us("RiskAssessment")[0]["note"][-1]["text"]
    merge = Merge.objects.get()
    assert (merge.from_key, merge.into_key) == (saved.ehr.pseudonym("ada"), saved.ehr.pseudonym("bruno"))
    assert AuditEntry.objects.filter(action="merge", patient_key=saved.patient_key).count() == 1


def test_a_night_without_anybody_looking_notices_it_too(saved: Assessment) -> None:
    merge_ada()
    tasks.look_for_merges_at(saved.ehr.pk)
    see_to_it()
    assert statuses() == {ERROR}


def test_what_the_ehr_has_moved_itself_stays_as_it_wants_it(saved: Assessment) -> None:
    merge_ada()
    move_results("bruno")
    merges.look(saved.ehr)
    see_to_it()
    assert statuses() == {"final"}
    saved.refresh_from_db()
    assert saved.retracted_at is None
    assert Merge.objects.get().followed_at is not None


def test_what_was_moved_and_comes_back_stays_and_the_merge_is_over(saved: Assessment) -> None:
    merge_ada()
    move_results("bruno")
    merges.look(saved.ehr)
    see_to_it()
    link_ada()
    move_results("ada")
    merges.look(saved.ehr)
    see_to_it()
    assert statuses() == {"final"}
    assert Merge.objects.get().undone_at is not None
    assert AuditEntry.objects.filter(action="unmerge").count() == 1


def test_what_was_moved_and_is_left_in_the_other_chart_is_retracted(saved: Assessment) -> None:
    merge_ada()
    move_results("bruno")
    merges.look(saved.ehr)
    see_to_it()
    link_ada()
    merges.look(saved.ehr)
    see_to_it()
    assert statuses() == {ERROR}
    saved.refresh_from_db()
    assert "parted" in saved.retraction


def test_a_parting_is_noticed_when_the_chart_is_opened(saved: Assessment) -> None:
    merge_ada()
    move_results("bruno")
    open_chart()
    see_to_it()
    link_ada()
    assert open_chart() == 200
    see_to_it()
    assert statuses() == {ERROR}
    assert Merge.objects.get().undone_at is not None
    assert AuditEntry.objects.filter(action="unmerge").count() == 1


def test_the_record_that_goes_on_tells_of_the_other_one(saved: Assessment) -> None:
    merge_into_bruno()
    assert open_chart("bruno") == 200
    see_to_it()
    assert statuses() == {ERROR}
    assert [open_chart("bruno"), open_chart("bruno")] == [200, 200]
    assert Merge.objects.get().from_key == saved.patient_key


def test_who_told_of_a_merge_takes_it_back_and_the_old_record_comes_first(saved: Assessment) -> None:
    merge_into_bruno()
    open_chart("bruno")
    open_chart("ada")  # says nothing, now as before
    assert Merge.objects.get().undone_at is None
    merge_ada()
    open_chart("ada")
    link("bruno")
    open_chart("bruno")
    assert Merge.objects.get().undone_at is None
    link_ada()
    open_chart("ada")
    assert Merge.objects.get().undone_at is not None


def test_a_no_that_comes_along_counts_in_the_very_call_that_notices_it(registered: Ehr) -> None:  # noqa: F811
    opt_out(registered, "ada", actor="a test")
    merge_into_bruno()
    assert hooks.call_hook("bruno", "diabetes-risk").json()["cards"] == []
    assert not Assessment.objects.exists()


@pytest.mark.parametrize("later", [Links("ada"), Links("ada", into="bruno")])
def test_a_record_of_some_time_ago_does_not_overrule_what_is_known_since(registered: Ehr, later: Links) -> None:  # noqa: F811
    before = timezone.now()
    merges.notice(registered, Links("ada", into="bruno"))
    if later.into:
        merges.notice(registered, Links("ada"))
    merges.notice(registered, later, at=before)
    (merge,) = Merge.objects.all()
    assert (merge.undone_at is None) is (later.into is None)


def test_records_that_were_merged_one_after_the_other_end_in_one(registered: Ehr) -> None:  # noqa: F811
    for old, new in (("ada", "bruno"), ("bruno", "chen"), ("chen", "ada")):
        merges.notice(registered, Links(old, into=new))
    ada, bruno, chen = map(registered.pseudonym, ("ada", "bruno", "chen"))
    assert set(Merge.into(registered.pk, chen)) == {ada, bruno}  # and a circle ends
    Merge.objects.filter(from_key=chen).delete()
    assert Merge.survivors(registered.pk) == {ada: chen, bruno: chen}


def test_after_parting_the_same_facts_are_asked_about_anew(saved: Assessment) -> None:
    merge_ada()
    open_chart()
    see_to_it()
    link_ada()
    merges.look(saved.ehr)
    assert assessed(saved.ehr) != saved
    assert len(hooks.call_hook("ada", "diabetes-risk").json()["cards"]) == 1


def test_what_waits_is_not_written_any_more(registered: Ehr) -> None:  # noqa: F811
    assessment = assessed(registered)
    waits = WriteBack.objects.create(assessment=assessment, target="chart")
    merge_ada()
    open_chart()
    see_to_it()
    waits.refresh_from_db()
    assert (waits.status, by_us("RiskAssessment")) == (Status.DECLINED, [])


def test_without_access_of_our_own_it_is_retracted_and_waits_for_a_clinician(saved: Assessment) -> None:
    Ehr.objects.update(system_client_id="")
    merge_ada()
    open_chart()
    see_to_it()
    row = saved.write_backs.get(aim=WriteBack.Aim.RETRACT)
    assert (row.status, statuses()) == (Status.WAITING, {"final"})


def test_a_clinician_at_the_chart_that_counts_marks_what_waits_at_the_old_one(saved: Assessment) -> None:
    Ehr.objects.update(system_client_id="")
    merge_ada()
    open_chart()
    see_to_it()
    there = Assessment.objects.create(
        ehr=saved.ehr,
        service_id=saved.service_id,
        service_version="1",
        threshold=0.1,
        fingerprint="another",
        patient_key=saved.ehr.pseudonym("bruno"),
    )
    assert [row.assessment for row in unmarked(there)] == [saved]


def test_an_ehr_that_does_not_answer_is_asked_again(saved: Assessment) -> None:
    merge_ada()
    open_chart()
    base = saved.ehr.fhir_base
    Ehr.objects.update(fhir_base="http://127.0.0.1:9/fhir")
    tasks.follow_merges()
    assert Merge.objects.get().followed_at is None
    Ehr.objects.update(fhir_base=base)
    see_to_it()
    assert statuses() == {ERROR}


def test_another_record_of_the_same_person_that_still_counts_is_no_merge(saved: Assessment) -> None:
    link_ada({"other": {"reference": "Patient/bruno"}, "type": "seealso"})
    merges.look(saved.ehr)
    assert not Merge.objects.exists()


def test_a_no_goes_with_the_patient(registered: Ehr) -> None:  # noqa: F811
    OptOut.objects.create(ehr=registered, patient_key=registered.pseudonym("ada"))
    merges.notice(registered, Links("ada", into="bruno"))
    assert registered.opted_out("bruno")
    assert hooks.call_hook("bruno", "diabetes-risk").json()["cards"] == []
    assert AuditEntry.objects.filter(action="opt-out", patient_key=registered.pseudonym("bruno")).count() == 1


def test_a_no_that_is_recorded_under_the_old_id_after_the_merges_reaches_the_record_that_goes_on(
    registered: Ehr,  # noqa: F811
) -> None:
    merges.notice(registered, Links("ada", into="bruno"))
    merges.notice(registered, Links("bruno", into="chen"))
    opt_out(registered, "ada", actor="a test")
    assert all(map(registered.opted_out, ("ada", "bruno", "chen")))


def test_records_that_name_each_other_in_a_circle_are_opted_out_once(registered: Ehr) -> None:  # noqa: F811
    merges.notice(registered, Links("ada", into="bruno"))
    merges.notice(registered, Links("bruno", into="ada"))
    opt_out(registered, "ada", actor="a test")
    assert AuditEntry.objects.filter(action="opt-out").count() == 2


def test_who_takes_part_still_does_after_a_merge(registered: Ehr) -> None:  # noqa: F811
    opt_out(registered, "chen", actor="a test")
    merges.notice(registered, Links("ada", into="bruno"))
    assert not registered.opted_out("bruno")


def test_noticing_twice_is_noticing_once_and_names_nobody(saved: Assessment) -> None:
    merge_ada()
    assert [open_chart(), open_chart()] == [409, 409]
    kept = repr(list(Merge.objects.values())) + repr(list(AuditEntry.objects.filter(action="merge").values()))
    assert Merge.objects.count() == 1
    assert not named(kept, "ada", "bruno")

"""What is old enough goes, in whole, leaving enough to prove what was there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from cds import anchor, audit, chain, registry, retention, tasks
from cds.append_only import guard
from cds.errors import Gone
from cds.models import Assessment, AuditEntry, Ehr, PopulationResult, PopulationRun, PurgedSegment, Replayed
from cds.population import open_run

NOW = timezone.now()


@pytest.fixture
def trail(ehr: Ehr, settings: Settings, tmp_path: Path) -> None:
    """Entries of eight and of seven-and-a-half years ago, of last year and of today; sealed and guarded."""
    settings.AUDIT_ANCHOR_FILE = tmp_path / "anchor.log"
    guard(connection)
    for days in (8 * 366, 8 * 366 - 1, 2700, 365, 0):
        AuditEntry.objects.create(ehr=ehr, action="hook", actor="a", recorded_at=NOW - timedelta(days=days))
        chain.seal()


def assessment(ehr: Ehr, *, days: int) -> Assessment:
    return Assessment.objects.create(
        ehr=ehr,
        service_id="diabetes-risk",
        service_version="1",
        threshold=0.1,
        fingerprint=str(days),
        patient_key="k",
        snapshot=b"the facts",
        result=b"the answer",
        created_at=NOW - timedelta(days=days),
    )


def numbers() -> list[int | None]:
    return list(AuditEntry.objects.exclude(sequence=None).order_by("sequence").values_list("sequence", flat=True))


def test_old_audit_entries_go_and_the_chain_goes_on(trail: None) -> None:
    assert retention.purge_audit() == 3
    assert numbers() == [4, 5]
    assert list(chain.verify()) == []


def test_what_comes_after_a_purge_is_chained_to_what_was_there(trail: None, ehr: Ehr) -> None:
    retention.purge_audit()
    audit.record("hook", actor="a", ehr=ehr)
    assert chain.seal() == 1
    assert numbers() == [4, 5, 6]
    assert list(chain.verify()) == []


def test_a_trail_that_went_as_a_whole_is_gone_on_with(trail: None, ehr: Ehr, settings: Settings) -> None:
    settings.AUDIT_RETENTION_YEARS = -1
    assert retention.purge_audit() == 5
    audit.record("hook", actor="a", ehr=ehr)
    chain.seal()
    assert numbers() == [6]
    assert list(chain.verify()) == []


def test_two_purges_follow_each_other(trail: None, settings: Settings) -> None:
    retention.purge_audit()
    settings.AUDIT_RETENTION_YEARS = 0
    assert retention.purge_audit() == 1
    assert [(row.first, row.last) for row in PurgedSegment.objects.order_by("first")] == [(1, 3), (4, 4)]
    assert list(chain.verify()) == []


def test_only_whole_months_go() -> None:
    assert retention.beginning_of_kept(datetime(2026, 3, 31, 12, tzinfo=UTC)) == datetime(2019, 3, 1, tzinfo=UTC)


def test_nothing_old_is_nothing_purged(ehr: Ehr) -> None:
    assert retention.purge_audit() == 0
    assert not PurgedSegment.objects.exists()


def test_entries_that_are_not_sealed_yet_stay(ehr: Ehr) -> None:
    AuditEntry.objects.create(ehr=ehr, action="hook", actor="a", recorded_at=NOW - timedelta(days=4000))
    assert retention.purge_audit() == 0


def test_a_trail_with_a_gap_is_evidence_and_stays(ehr: Ehr, settings: Settings, tmp_path: Path) -> None:
    settings.AUDIT_ANCHOR_FILE = tmp_path / "anchor.log"
    for _ in range(3):
        AuditEntry.objects.create(ehr=ehr, action="hook", actor="a", recorded_at=NOW - timedelta(days=4000))
    chain.seal()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM cds_auditentry WHERE sequence = 2")
    assert retention.purge_audit() == 0
    assert numbers() == [1, 3]


def test_a_segment_that_nobody_sealed_vouches_for_nothing(trail: None) -> None:
    retention.purge_audit()
    PurgedSegment.objects.create(
        first=4, last=4, began_at=NOW, ended_at=NOW, last_seal="0" * 64, key_id=chain.newest_key_id(), seal="0" * 64
    )
    assert next(chain.verify()).reason == "what vouches for 4 to 4 does not hold"


def test_anchors_of_what_was_purged_do_no_harm_and_later_ones_still_count(trail: None) -> None:
    retention.purge_audit()
    anchor.append(9, "0" * 64)
    assert [link.sequence for link in chain.verify()] == [6]


def test_old_facts_give_way_to_a_keyed_hash(ehr: Ehr) -> None:
    old, young = assessment(ehr, days=91), assessment(ehr, days=89)
    assert retention.purge_snapshots() == 1
    old.refresh_from_db()
    young.refresh_from_db()
    assert (old.snapshot, old.snapshot_hmac) == (None, chain.fingerprint(b"the facts"))
    assert (young.snapshot, young.snapshot_hmac) == (b"the facts", "")


def test_facts_that_are_gone_are_said_to_be_gone(ehr: Ehr) -> None:
    old = assessment(ehr, days=91)
    retention.purge_snapshots()
    old.refresh_from_db()
    with pytest.raises(Gone):
        _ = old.context


def test_what_a_reviewer_was_shown_goes_with_the_facts(ehr: Ehr) -> None:
    old, young = assessment(ehr, days=91), assessment(ehr, days=89)
    for one in (old, young):
        Replayed.objects.create(assessment=one, verdict="same", report=b"the facts again")
    retention.purge_snapshots()
    assert Replayed.objects.get().assessment == young


def listed(ehr: Ehr, *, days: int) -> PopulationResult:
    run = open_run(registry.get("diabetes-risk"), ehr=ehr)
    PopulationRun.objects.filter(pk=run.pk).update(created_at=NOW - timedelta(days=days))
    said = {"pseudonym": "p", "outcome": "scored", "reason": "r", "probability": 0.3}
    return PopulationResult.objects.create(run=run, patient_id=b"ada", panel="Practitioner/1", panel_name="Dr", **said)


def test_who_stood_on_an_old_worklist_is_named_no_more_and_the_numbers_stay(ehr: Ehr) -> None:
    old, young = listed(ehr, days=91), listed(ehr, days=89)
    assert retention.purge_worklists() == 1
    old.refresh_from_db()
    young.refresh_from_db()
    assert (old.patient_id, old.panel, old.panel_name, old.probability) == (None, "", "", 0.3)
    assert young.patient_id == b"ada"


def test_sessions_of_administrators_go_when_they_are_over(ehr: Ehr) -> None:
    for hours in (-1, 1):
        ends = timezone.now() + timedelta(hours=hours)
        Session.objects.create(session_key=str(hours), session_data="", expire_date=ends)
    assert retention.purge_sessions() == 1
    assert Session.objects.get().session_key == "1"


def test_the_hash_is_keyed(ehr: Ehr, settings: Settings) -> None:
    before = chain.fingerprint(b"the facts")
    settings.AUDIT_KEYS = ["another"]
    assert chain.fingerprint(b"the facts") != before


def test_the_nightly_job_leaves_its_own_entry(trail: None, ehr: Ehr) -> None:
    assessment(ehr, days=91)
    tasks.purge_expired()
    gone = {"entries": 3, "snapshots": 1, "predictions": 0, "listed": 0, "sessions": 0}
    assert AuditEntry.objects.get(action="purge").detail == {**gone, "hold": 0}


def test_under_a_legal_hold_nothing_goes(trail: None, ehr: Ehr, settings: Settings) -> None:
    settings.AUDIT_HOLD = True
    assessment(ehr, days=91)
    listed(ehr, days=91)
    assert retention.purge() == (0, 0, 0, 0, 0)
    assert AuditEntry.objects.get(action="purge").detail["hold"] == 1


def test_the_command_says_what_went(trail: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("purge")
    said = capsys.readouterr().out
    assert said.startswith("3 audit entries, 0 snapshots, 0 predictions, the names of 0 people on worklists and 0 ")


@pytest.mark.parametrize(("years", "found"), [(5, ["cds.E003"]), (6, []), (7, [])])
def test_the_trail_cannot_be_set_to_less_than_six_years(settings: Settings, years: int, found: list[str]) -> None:
    settings.AUDIT_RETENTION_YEARS = years
    assert [message.id for message in run_checks() if message.id == "cds.E003"] == found

"""The chain shows whatever was done to it, and where."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings

from cds import anchor, audit, chain
from cds.models import AuditEntry, Ehr


@pytest.fixture
def entries(ehr: Ehr, settings: Settings, tmp_path: Path) -> list[AuditEntry]:
    settings.AUDIT_ANCHOR_FILE = tmp_path / "anchor.log"
    for number in range(5):
        audit.record("hook", actor="somebody", ehr=ehr, patient_id=f"p{number}", number=number)
    assert chain.seal() == 5
    return list(AuditEntry.objects.order_by("sequence"))


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def broken() -> list[int]:
    return [link.sequence for link in chain.verify()]


def test_an_untouched_chain_is_whole(entries: list[AuditEntry]) -> None:
    assert broken() == []


def test_a_second_seal_goes_on_where_the_first_stopped(entries: list[AuditEntry], ehr: Ehr) -> None:
    audit.record("hook", actor="somebody", ehr=ehr)
    assert chain.seal() == 1
    assert AuditEntry.objects.order_by("-sequence")[0].sequence == 6
    assert broken() == []


def test_more_than_a_batch_is_sealed_at_once(entries: list[AuditEntry], ehr: Ehr) -> None:
    more = chain.BATCH + 1
    AuditEntry.objects.bulk_create(AuditEntry(ehr=ehr, action="view", actor="a") for _ in range(more))
    assert chain.seal() == more
    assert broken() == []


def test_nothing_new_is_nothing_sealed(entries: list[AuditEntry]) -> None:
    assert chain.seal() == 0


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'nobody'",
        "address = '203.0.113.9'",
        "action = 'view'",
        "patient_key = ''",
        "subject = 'x'",
        "detail = '{\"number\": 7}'",
        "ehr_id = NULL",
        "recorded_at = '2020-01-01 00:00:00+00:00'",
        "key_id = '00000000'",
    ],
)
def test_a_changed_entry_is_found(entries: list[AuditEntry], change: str) -> None:
    sql(f"UPDATE cds_auditentry SET {change} WHERE sequence = 3")
    assert broken()[0] == 3


def test_a_removed_entry_is_found_at_the_next_one(entries: list[AuditEntry]) -> None:
    sql("DELETE FROM cds_auditentry WHERE sequence = 3")
    (link,) = chain.verify()
    assert (link.sequence, link.reason) == (4, "3 is missing before it")


def test_entries_cut_off_at_the_end_are_missed_by_the_anchor(entries: list[AuditEntry]) -> None:
    sql("DELETE FROM cds_auditentry WHERE sequence > 3")
    (link,) = chain.verify()
    assert link.sequence == 4
    assert link.reason.startswith("cut off here")


def test_an_emptied_trail_is_missed_by_the_anchor(entries: list[AuditEntry]) -> None:
    sql("DELETE FROM cds_auditentry")
    assert broken() == [1]


def test_a_chain_sealed_anew_with_the_right_key_is_betrayed_by_the_anchor(entries: list[AuditEntry]) -> None:
    sql("UPDATE cds_auditentry SET sequence = NULL, seal = '', actor = 'nobody'")
    anchored = iter(anchor.Anchors())
    assert chain.seal() == 5
    assert next(anchored).seal != AuditEntry.objects.get(sequence=5).seal
    assert broken() == [5]


def test_a_torn_line_of_the_anchor_file_is_said_and_the_others_still_count(
    entries: list[AuditEntry], settings: Settings
) -> None:
    with settings.AUDIT_ANCHOR_FILE.open("ab") as lines:
        lines.write(b'{"sequence": 5, "se\n')
    anchor.append(*chain.head())
    (link,) = chain.verify()
    assert link.reason == "the anchor file has unreadable lines: 1"


def test_a_lost_anchor_file_is_said(entries: list[AuditEntry], settings: Settings) -> None:
    settings.AUDIT_ANCHOR_FILE.unlink()
    assert broken() == [5]


def test_two_swapped_entries_are_found(entries: list[AuditEntry]) -> None:
    sql("UPDATE cds_auditentry SET sequence = CASE sequence WHEN 2 THEN -1 WHEN 3 THEN -2 ELSE sequence END")
    sql("UPDATE cds_auditentry SET sequence = CASE sequence WHEN -1 THEN 3 WHEN -2 THEN 2 ELSE sequence END")
    assert broken()[0] == 2


def test_an_inserted_entry_is_found(entries: list[AuditEntry], ehr: Ehr) -> None:
    AuditEntry.objects.create(ehr=ehr, action="view", actor="x", sequence=6, key_id=entries[0].key_id, seal="0" * 64)
    assert broken() == [6]


def test_a_new_key_seals_and_the_old_one_still_verifies(entries: list[AuditEntry], settings: Settings) -> None:
    settings.AUDIT_KEYS = ["the new key", *settings.AUDIT_KEYS]
    audit.record("hook", actor="somebody")
    chain.seal()
    assert broken() == []
    assert AuditEntry.objects.get(sequence=6).key_id != entries[0].key_id


def test_without_its_key_a_seal_does_not_hold(entries: list[AuditEntry], settings: Settings) -> None:
    settings.AUDIT_KEYS = ["the new key"]
    assert broken()[0] == 1


def test_the_anchor_of_the_chain_is_only_ever_appended_to(
    entries: list[AuditEntry], settings: Settings, ehr: Ehr
) -> None:
    before = settings.AUDIT_ANCHOR_FILE.read_text()
    audit.record("hook", actor="somebody", ehr=ehr)
    chain.seal()
    assert settings.AUDIT_ANCHOR_FILE.read_text().startswith(before)
    assert settings.AUDIT_ANCHOR_FILE.stat().st_mode & 0o077 == 0

"""`manage.py export_audit` prints one valid AuditEvent a line, and nothing that names a person."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from fhir.resources.R4B.auditevent import AuditEvent

from cds import audit
from cds.models import AuditEntry, Ehr


def exported(since: str) -> list[dict[str, object]]:
    out = StringIO()
    call_command("export_audit", "--since", since, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_each_entry_is_a_valid_event_of_one_patient(ehr: Ehr) -> None:
    audit.record("view", actor=ehr.pseudonym("Practitioner/1"), ehr=ehr, patient_id="ada", subject="x")
    audit.record("view", actor=ehr.pseudonym("Practitioner/1"), ehr=ehr, patient_id="bruno", subject="y")
    events = exported("2020-01-01")
    assert [AuditEvent.model_validate(event).action for event in events] == ["R", "R", "E"]  # the last is the export
    assert ehr.pseudonym("ada") in json.dumps(events[0])
    assert '"ada"' not in json.dumps(events)


def test_what_is_older_is_left_out(ehr: Ehr) -> None:
    audit.record("view", actor="a", ehr=ehr)
    assert exported("2999-01-01") == []


def test_the_export_is_on_the_trail_too(ehr: Ehr) -> None:
    audit.record("view", actor="a", ehr=ehr)
    exported("2020-01-01")
    assert AuditEntry.objects.get(action="export-audit").detail == {"since": "2020-01-01"}


def test_a_day_that_is_none_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match="a date, such as"):
        call_command("export_audit", "--since", "yesterday")

"""`manage.py export_audit`: the audit trail as FHIR R4 AuditEvents, one a line, for the hospital's own audit repository."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, date, datetime
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from cds import audit
from cds.fhir.audit_event import Noted, audit_event
from cds.models import AuditEntry


def day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), tzinfo=UTC)
    except ValueError as error:
        raise ArgumentTypeError("a date, such as 2026-03-01") from error


class Command(BaseCommand):
    help = "Print the audit trail as NDJSON of FHIR R4 AuditEvents (IHE BALP). People are keyed hashes in it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", type=day, required=True, help="the first day, in UTC")

    def handle(self, *_: Any, since: datetime, **__: Any) -> None:
        entries = AuditEntry.objects.filter(recorded_at__gte=since).select_related("ehr").order_by("pk")
        audit.record("export-audit", actor=audit.US, since=since.date().isoformat())  # first: an export may break off
        for entry in entries.iterator(chunk_size=1000):
            self.stdout.write(msgspec.json.encode(audit_event(noted(entry))).decode())


def noted(entry: AuditEntry) -> Noted:
    return Noted(
        number=entry.pk,
        action=entry.action,
        recorded_at=entry.recorded_at,
        actor=entry.actor,
        address=entry.address,
        patient_key=entry.patient_key,
        subject=entry.subject,
        detail=entry.detail,
        fhir_base=entry.ehr.fhir_base if entry.ehr else "",
        observer=settings.BASE_URL,
    )

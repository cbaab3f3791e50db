"""`manage.py writeback`: what is on its way to charts and archives, and what became of it when it is tried now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cds.errors import BadInput
from cds.models import WriteBack
from cds.writeback import ask, outbox, resume

Status = WriteBack.Status


class Command(BaseCommand):
    """Names no patient: an assessment's id leads to its row in the admin."""

    help = "List what has not arrived in a chart or an archive, and send again what can be."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--pending", action="store_true", help="list what waits, try it now, tell how it went")
        which.add_argument("--failed", metavar="WHY", help="the same with what failed for good; say why")
        parser.add_argument("--list", action="store_true", help="only list, send nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        statuses = [Status.QUEUED, Status.WAITING] if options["pending"] else [Status.FAILED, Status.DECLINED]
        rows = WriteBack.objects.filter(status__in=statuses).select_related("assessment__ehr").order_by("requested_at")
        found = list(outbox.resendable(rows))
        for row in found:
            self.stdout.write(_line(row))
        if not options["list"]:
            self._send(found, why=options["failed"] or "sent from the command line")
        self.stdout.write(f"{len(found)} listed.")

    def _send(self, rows: list[WriteBack], *, why: str) -> None:
        try:
            ask.send_again([row.pk for row in rows], by="operator", why=why)
        except BadInput as error:
            raise CommandError(str(error)) from error
        for row in rows:
            resume(row.pk)
            row.refresh_from_db()
            self.stdout.write(f"-> {_line(row)}")


def _line(row: WriteBack) -> str:
    about, said = row.assessment, row.failure or row.lacking
    line = f"{row.pk}  {row.requested_at:%Y-%m-%d %H:%M}  {about.ehr}  {about.service_id}  {about.pk}  {row.aim}  {row.target}  "
    return f"{line}{row.status}{f': {said}' if said else ''}"

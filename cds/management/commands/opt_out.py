"""`manage.py opt_out EHR`: patients who said no. Their ids come on standard input: arguments are seen by every process."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cds.models import Ehr, OptOut
from cds.opt_out import opt_out, withdraw

ACTOR = "operator"


class Command(BaseCommand):
    """Prints how many, and never whom."""

    help = "Record that patients opted out; FHIR ids on standard input, one a line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ehr", help="the EHR's name in the admin")
        parser.add_argument("--withdraw", action="store_true", help="they take part again")

    def handle(self, *args: Any, **options: Any) -> None:
        ehr = Ehr.objects.filter(name=options["ehr"]).first()
        if ehr is None:
            raise CommandError("There is no EHR of this name.")
        ids = [line.strip() for line in sys.stdin if line.strip()]
        changed = sum(_withdrawn(ehr, one) if options["withdraw"] else opt_out(ehr, one, actor=ACTOR) for one in ids)
        self.stdout.write(f"{len(ids)} read, {changed} changed.")


def _withdrawn(ehr: Ehr, patient_id: str) -> bool:
    row = OptOut.objects.filter(ehr=ehr, patient_key=ehr.pseudonym(patient_id)).first()
    if row is not None:
        withdraw(row, actor=ACTOR)
    return row is not None

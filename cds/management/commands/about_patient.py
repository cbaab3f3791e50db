"""`manage.py about_patient EHR`: all that is kept about a patient, for whoever asks for it. Ids come on standard input."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model, Q, QuerySet

from cds import audit
from cds.fields import EncryptedField
from cds.models import (
    Assessment,
    AuditEntry,
    Ehr,
    Enrolment,
    Feedback,
    IssuedCard,
    Merge,
    OptOut,
    PopulationResult,
    Replayed,
    Rescoring,
    Review,
    Snooze,
    Suppression,
    WriteBack,
)
from scoring.models import Prediction

ACTOR = "operator"


class Command(BaseCommand):
    """One JSON object a row, with the table's name; what is encrypted is shown in clear. Each patient asked for is audited."""

    help = "Print all that is kept about patients; FHIR ids on standard input, one a line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ehr", help="the EHR's name in the admin")

    def handle(self, *_: Any, **options: Any) -> None:
        ehr = Ehr.objects.filter(name=options["ehr"]).first()
        if ehr is None:
            raise CommandError("There is no EHR of this name.")
        for patient_id in filter(None, map(str.strip, sys.stdin)):
            audit.record("access-request", actor=ACTOR, ehr=ehr, patient_id=patient_id)
            for rows in kept(ehr, ehr.pseudonym(patient_id)):
                for row in rows.order_by("pk").iterator(chunk_size=500):
                    self.stdout.write(msgspec.json.encode(_shown(row)).decode())


def kept(ehr: Ehr, key: str) -> Iterator[QuerySet[Any]]:
    """Of a session that is open now nothing is found: it is closed within minutes, and who it is about is encrypted."""
    mine = {"ehr": ehr, "patient_key": key}
    answers = Assessment.objects.filter(**mine)
    of_answers = Q(assessment__in=answers)
    feedback = Feedback.objects.filter(of_answers | Q(card__assessment__in=answers))
    yield OptOut.objects.filter(**mine)
    yield answers
    for model in (IssuedCard, Suppression, WriteBack, Replayed):
        yield model._default_manager.filter(of_answers)
    yield feedback
    yield Review.objects.filter(feedback__in=feedback)
    yield Snooze.objects.filter(**mine)
    yield Prediction.objects.filter(case__in=answers.values("pk"))
    yield Enrolment.objects.filter(experiment__ehr=ehr, patient_key=key)
    yield PopulationResult.objects.filter(run__ehr=ehr, pseudonym=key)
    yield Rescoring.objects.filter(**mine)
    yield Merge.objects.filter(Q(from_key=key) | Q(into_key=key), ehr=ehr)
    yield AuditEntry.objects.filter(**mine)


def _shown(row: Model) -> dict[str, Any]:
    fields = {field.name: getattr(row, field.attname) for field in row._meta.concrete_fields}
    hidden = [field.name for field in row._meta.concrete_fields if isinstance(field, EncryptedField)]
    opened = {name: _opened(bytes(fields[name])) for name in hidden if fields[name] is not None}
    return {"table": row._meta.label, **fields, **opened}


def _opened(content: bytes) -> Any:
    """JSON where it is, else text; a report that waits for its archive is a document, of which the size is told."""
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(content)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"{len(content)} bytes"

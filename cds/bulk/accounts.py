"""What the EHR says of what it left out: OperationOutcomes, line by line, into the run's accounts; and who was deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec
from django.db import transaction
from msgspec import Struct

from cds.models import Export, ExportFile, PopulationFlaw

LISTED = 100  # lines of one reason in one file; all are counted

Part = ExportFile.Part


class _Issue(Struct):
    severity: str = ""
    code: str = ""


class _Outcome(Struct):
    issue: list[_Issue] = []


def settle(export: Export) -> None:
    """Count every line of the error files by severity and code, never by its text, which may speak of a patient."""
    flaws, said = list[PopulationFlaw](), dict[str, dict[str, int]]()
    for file in export.files.filter(part=Part.ERROR):
        file.export = export
        counted = Counter[str]()
        for number, reason in enumerate(_reasons(file), start=1):
            counted[reason] += 1
            if counted[reason] <= LISTED:
                flaws.append(PopulationFlaw(run=export.run, file=f"error/{file.name}", line=number, reason=reason))
        said[file.name] = dict(counted)
    with transaction.atomic():
        PopulationFlaw.objects.bulk_create(flaws, batch_size=1000, ignore_conflicts=True)
        export.said = said
        export.save(update_fields=["said"])


def _reasons(file: ExportFile) -> Iterator[str]:
    with file.path.open("rb") as stream:
        for line in stream:
            if line.strip():
                yield _reason(line)


def _reason(line: bytes) -> str:
    try:
        issues = msgspec.json.decode(line, type=_Outcome).issue
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "not an OperationOutcome"
    return "; ".join(dict.fromkeys(f"{issue.severity} {issue.code}" for issue in issues))[:100] or "no issue"

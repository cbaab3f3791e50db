"""Every line of a file: of use, wrong, or wanted by nobody; and what the EHR says of what it left out, line by line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from django.db import transaction
from msgspec import Struct

from cds.fhir.decoding import UNREADABLE
from cds.models import Export, ExportFile, PopulationFlaw, PopulationRun

LISTED = 100  # lines of one reason in one file; all are counted

Part = ExportFile.Part


class Account(Struct):
    """Of one file: `used` of its `lines` were of use, those of `flaws` cannot be; nobody asked for the others."""

    lines: int = 0
    used: int = 0
    flaws: dict[str, int] = {}


class Ledger:
    """The accounts of some files, and of each reason the first lines."""

    def __init__(self, run: PopulationRun) -> None:
        self.run = run
        self.accounts = defaultdict[str, Account](Account)
        self.flaws: list[PopulationFlaw] = []

    def line(self, name: str, *, used: bool = False, flaw: str = "") -> None:
        """The next one of that file. `flaw`: why it cannot be used; neither, where nobody asks for it."""
        account = self.accounts[name]
        account.lines += 1
        account.used += used
        if not flaw:
            return
        account.flaws[flaw] = account.flaws.get(flaw, 0) + 1
        if account.flaws[flaw] <= LISTED:
            self.flaws.append(PopulationFlaw(run=self.run, file=name, line=account.lines, reason=flaw))

    @property
    def said(self) -> dict[str, dict[str, Any]]:
        return {name: msgspec.to_builtins(account) for name, account in self.accounts.items()}


def unused(run: PopulationRun) -> list[tuple[str, Account]]:
    """Of each file with lines that were not used, the account; files of what the EHR left out are among them."""
    export = Export.objects.filter(run=run).first()
    left_out = {
        f"error/{name}": Account(lines=sum(flaws.values()), flaws=flaws)
        for name, flaws in (export.said if export else {}).items()
    }
    kept = {**(export.heard if export else {}), **run.files}
    found = {**left_out, **msgspec.convert(kept, dict[str, Account])}
    return [(name, account) for name, account in sorted(found.items()) if account.flaws]


class _Issue(Struct):
    severity: str = ""
    code: str = ""


class _Outcome(Struct):
    issue: list[_Issue] = []


def settle(export: Export) -> None:
    """Count every line of the error files by severity and code, never by its text, which may speak of a patient."""
    ledger, said = Ledger(export.run), dict[str, dict[str, int]]()
    for file in export.files.filter(part=Part.ERROR):
        file.export = export
        for line in lines_of(file.path):
            ledger.line(f"error/{file.name}", flaw=_reason(line))
        said[file.name] = ledger.accounts[f"error/{file.name}"].flaws
    keep(export, ledger, said=said)


@transaction.atomic
def keep(export: Export, ledger: Ledger, **more: object) -> None:
    """The flaws, and what else the export's row has to say; again is once."""
    PopulationFlaw.objects.bulk_create(ledger.flaws, batch_size=1000, ignore_conflicts=True)
    for name, value in more.items():
        setattr(export, name, value)
    export.save(update_fields=list(more))


def lines_of(path: Path) -> Iterator[bytes]:
    """Without those that are empty."""
    with path.open("rb") as stream:
        yield from (line for line in stream if line.strip())


def _reason(line: bytes) -> str:
    try:
        issues = msgspec.json.decode(line, type=_Outcome).issue
    except UNREADABLE:
        return "not an OperationOutcome"
    return "; ".join(dict.fromkeys(f"{issue.severity} {issue.code}" for issue in issues))[:100] or "no issue"

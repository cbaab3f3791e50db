"""What a batch found, as two files of NDJSON: a RiskAssessment a patient, and an OperationOutcome for everybody else."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec
from django.db.models import Q, QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.text import compress_sequence
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from cds import audit
from cds.bulk.accounts import LISTED, unused
from cds.models import PopulationResult, PopulationRun
from cds.population.hand_out import of_who_left
from smartapp.backend.api import Api, caller
from smartapp.backend.batch.own import own
from smartapp.backend.formats import NDJSON
from smartapp.backend.scopes import READ_RESULTS, SCORE_BATCH
from smartapp.backend.spec import batch_file

KINDS = ("RiskAssessment", "OperationOutcome")
ROWS = 500  # read from the database, and sent, at once
_SCORED = Q(outcome=PopulationResult.Outcome.SCORED, left="")


@batch_file
class File(Api):
    operation = "batch-file"
    scopes = (SCORE_BATCH, READ_RESULTS)

    def get(self, request: Request, batch_id: uuid.UUID, kind: str) -> HttpResponseBase:
        run, client = own(request, batch_id).run, caller(request)
        if kind not in KINDS or run.state != PopulationRun.State.DONE:
            raise NotFound("There is no such file.")
        audit.record("batch-read", actor=client.actor, ehr=client.ehr, subject=str(run.pk), kind=kind)
        return _sent(_blocks(_lines(run, kind)), zipped="gzip" in request.headers.get("Accept-Encoding", ""))


def lines_in(run: PopulationRun, kind: str) -> int:
    flawed = run.flaws.count() + sum(1 for _ in _not_listed(run)) if kind == "OperationOutcome" else 0
    return _results(run, kind).count() + flawed


def _results(run: PopulationRun, kind: str) -> QuerySet[PopulationResult]:
    of_kind = _SCORED if kind == "RiskAssessment" else ~_SCORED
    return run.results.filter(of_kind).order_by("pk")


def _lines(run: PopulationRun, kind: str) -> Iterator[bytes]:
    rows = _results(run, kind).only("resource", "left").iterator(chunk_size=ROWS)
    resources = (of_who_left(row) if row.left else bytes(row.resource or b"") for row in rows)
    flaws = chain(map(str, run.flaws.order_by("pk").iterator()), _not_listed(run)) if kind == "OperationOutcome" else ()
    yield from chain(resources, map(_flaw, flaws))


def _not_listed(run: PopulationRun) -> Iterator[str]:
    """Of many lines with one reason in one file the first have their own entry, the others are counted in one."""
    for file, account in unused(run):
        for reason, count in account.flaws.items():
            if count > LISTED:
                yield f"{file}, {count - LISTED} more lines: {reason}"


def _flaw(said: str) -> bytes:
    """A line of the upload that was not used."""
    issue = {"severity": "error", "code": "structure", "diagnostics": said}
    return msgspec.json.encode({"resourceType": "OperationOutcome", "issue": [issue]})


def _blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    block: list[bytes] = []
    for line in lines:
        block.append(line + b"\n")
        if len(block) == ROWS:
            yield b"".join(block)
            block.clear()
    yield b"".join(block)


def _sent(blocks: Iterator[bytes], *, zipped: bool) -> StreamingHttpResponse:
    content = compress_sequence(blocks) if zipped else blocks
    headers = {"Vary": "Accept-Encoding", **({"Content-Encoding": "gzip"} if zipped else {})}
    return StreamingHttpResponse(content, content_type=NDJSON, headers=headers)

"""What begins a batch, in each of its forms, and what is refused before anything is kept."""

from __future__ import annotations

import base64
import gzip
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from pytest_django import Settings

from cds.models import AuditEntry, Ehr, EnabledService, PopulationRun
from smartapp.backend.models import Batch
from smartapp.backend.scopes import PREDICT
from tests.smartapp.backend.batch.asking import KICK_OFF, LATER, THE_CAST, Asking, ndjson, work
from tests.smartapp.backend.test_predict import issues

PERSON = {"resourceType": "Patient", "id": "p", "birthDate": "1960-01-01"}


def nothing_kept(spool: Path) -> bool:
    return not Batch.objects.exists() and not PopulationRun.objects.exists() and not list(spool.glob("*"))


def parameters(*parts: dict[str, Any]) -> bytes:
    return json.dumps({"resourceType": "Parameters", "parameter": list(parts)}).encode()


def binary(content: bytes) -> dict[str, Any]:
    data = base64.b64encode(content).decode()
    return {"name": "input", "resource": {"resourceType": "Binary", "contentType": "x", "data": data}}


# --- What begins one -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (THE_CAST, "application/fhir+ndjson"),
        (THE_CAST, "application/ndjson"),
        (gzip.compress(THE_CAST), "application/fhir+ndjson"),
        (gzip.compress(THE_CAST[:9000]) + gzip.compress(THE_CAST[9000:]), "application/gzip"),
        (parameters({"name": "service", "valueString": "diabetes-risk"}, binary(THE_CAST)), "application/fhir+json"),
        (parameters(binary(gzip.compress(THE_CAST))), "application/json"),
    ],
    ids=["ndjson", "plain", "zipped", "two members", "parameters", "zipped parameters"],
)
def test_everybody_in_an_upload_is_asked_about(asking: Asking, content: bytes, kind: str) -> None:
    path = asking.begun(content, kind=kind)
    work()
    run = PopulationRun.objects.get()
    assert path == f"/api/fhir/batches/{run.batch.pk}"
    assert (run.state, run.patients, run.service_id) == ("done", 6, "diabetes-risk")


def test_a_form_has_several_files_and_the_options_as_fields(asking: Asking, spool: Path) -> None:
    middle = THE_CAST.index(b"\n", len(THE_CAST) // 2) + 1
    files = [
        ContentFile(THE_CAST[:middle], "ada lovelace.ndjson"),
        ContentFile(gzip.compress(THE_CAST[middle:]), "../b"),
    ]
    form = {"service": "metformin-renal", "_outputFormat": "ndjson", "input": files}
    answer = asking.outside.web.post(KICK_OFF, form, headers={**LATER, **asking.outside.signed()})
    assert answer.status_code == 202, answer.content
    run = PopulationRun.objects.get()
    assert sorted(file.name for file in run.spool.iterdir()) == ["part-001.ndjson", "part-002.ndjson"]
    assert [file.stat().st_mode & 0o777 for file in run.spool.iterdir()] == [0o600] * 2
    assert run.spool.stat().st_mode & 0o777 == 0o700
    work()
    run.refresh_from_db()
    assert (run.state, run.patients, run.service_id) == ("done", 6, "metformin-renal")


def test_it_belongs_to_its_caller_and_is_audited(asking: Asking, ehr: Ehr) -> None:
    asking.begun()
    run, actor = PopulationRun.objects.get(), asking.outside.row.actor
    assert (run.client, run.asked_by, run.ehr, run.writes) == (actor, actor, ehr, False)
    assert AuditEntry.objects.get(action="sweep-ask").actor == actor


def test_the_records_go_when_everybody_has_an_answer(asking: Asking, spool: Path) -> None:
    asking.begun()
    run = PopulationRun.objects.get()
    assert run.spool.exists()
    work()
    assert not [path for path in spool.iterdir() if path.is_dir()]


@pytest.mark.django_db(transaction=True)
def test_a_worker_takes_it_by_itself(served: Asking) -> None:
    assert served.when_done(served.begun())["output"]


# --- What is refused -----------------------------------------------------------------------------------------------
def test_without_prefer_respond_async_it_is_refused(asking: Asking, spool: Path) -> None:
    assert "respond-async" in issues(asking.kick_off(Prefer="return=minimal"))[0]["diagnostics"]
    assert nothing_kept(spool)


def test_a_token_for_something_else_does_not_open_it(asking: Asking, spool: Path) -> None:
    headers = {**LATER, **asking.outside.signed(PREDICT)}
    answer = asking.outside.web.post(KICK_OFF, THE_CAST, content_type="application/fhir+ndjson", headers=headers)
    assert issues(answer, status=403)
    assert "insufficient_scope" in answer["WWW-Authenticate"]
    assert nothing_kept(spool)


def test_without_a_token_nothing_is_read(asking: Asking, spool: Path) -> None:
    answer = asking.outside.web.post(KICK_OFF, THE_CAST, content_type="application/fhir+ndjson", headers=LATER)
    assert issues(answer, status=401)
    assert nothing_kept(spool)


@pytest.mark.parametrize(
    ("query", "place"),
    [("?patient=ada", "patient"), ("?_outputFormat=csv", "_outputFormat"), ("?service=a&service=b", "service")],
)
def test_a_parameter_that_we_do_not_know_is_named(asking: Asking, spool: Path, query: str, place: str) -> None:
    assert issues(asking.kick_off(query=query))[0]["expression"] == [place]
    assert nothing_kept(spool)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\n\n", b"[1, 2]\n", b"hello\n", b"\xff\xfe\x00", ndjson([{"resourceType": "Observation"}])],
    ids=repr,
)
def test_what_holds_no_patient_is_no_batch(asking: Asking, spool: Path, content: bytes) -> None:
    answer = asking.kick_off(content)
    assert answer.status_code in {400, 411}, answer.content
    assert nothing_kept(spool)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'{"resourceType": "Patient"}',
        parameters({"name": "input", "valueString": "x"}),
        parameters({"name": "group", "valueString": "x"}, binary(THE_CAST)),
        parameters({"name": "patient", "valueString": "x"}, binary(THE_CAST)),
        parameters({"name": "input", "resource": {"resourceType": "Binary", "data": "%"}}),
        parameters({"name": "input", "resource": {"resourceType": "Patient"}}),
        parameters({"name": "service", "valueString": "a"}, {"name": "service", "valueString": "b"}),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(asking: Asking, spool: Path, content: bytes) -> None:
    assert issues(asking.kick_off(content, kind="application/fhir+json"))
    assert nothing_kept(spool)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"no form at all", "multipart/form-data"),
        (b"no form at all", "multipart/form-data; boundary=x"),
    ],
)
def test_a_form_that_is_none_is_refused(asking: Asking, spool: Path, content: bytes, kind: str) -> None:
    assert issues(asking.kick_off(content, kind=kind))
    assert nothing_kept(spool)


def test_a_file_under_another_name_is_refused(asking: Asking, spool: Path) -> None:
    form = {"records": ContentFile(THE_CAST, "a.ndjson")}
    assert issues(asking.outside.web.post(KICK_OFF, form, headers={**LATER, **asking.outside.signed()}))
    assert nothing_kept(spool)


@pytest.mark.parametrize("damage", [lambda zipped: zipped[:-10], lambda zipped: zipped[:40] + b"\0" * 40 + zipped[80:]])
def test_a_damaged_gzip_file_is_refused(asking: Asking, spool: Path, damage: Any) -> None:
    assert "gzip" in issues(asking.kick_off(damage(gzip.compress(THE_CAST))))[0]["diagnostics"]
    assert nothing_kept(spool)


def test_an_unknown_service_is_a_404(asking: Asking, spool: Path) -> None:
    assert issues(asking.kick_off(query="?service=nothing"), status=404)
    assert nothing_kept(spool)


@pytest.mark.parametrize(("stage", "status"), [(EnabledService.Stage.OFF, 404), (EnabledService.Stage.SILENT, 403)])
def test_a_service_that_shows_nobody_anything_shows_no_caller(
    asking: Asking, ehr: Ehr, spool: Path, stage: str, status: int
) -> None:
    EnabledService.objects.filter(ehr=ehr).update(stage=stage)
    assert issues(asking.kick_off(), status=status)
    assert nothing_kept(spool)


# --- What is too much ----------------------------------------------------------------------------------------------
class Unread(io.BytesIO):
    """A body of which nothing may be read."""

    def read(self, *_: Any) -> bytes:
        raise AssertionError("it was read")


def announced(asking: Asking, length: int, body: io.BytesIO) -> Any:
    """A call that says how long it is, whatever it sends."""
    said: Any = {"CONTENT_LENGTH": str(length), "CONTENT_TYPE": "application/fhir+ndjson", "wsgi.input": body}
    return asking.outside.web.generic("POST", KICK_OFF, headers={**LATER, **asking.outside.signed()}, **said)


def test_five_gigabytes_are_refused_by_what_they_say_of_themselves(asking: Asking, spool: Path) -> None:
    answer = announced(asking, 5_000_000_000, Unread())
    assert issues(answer, status=413)
    assert nothing_kept(spool)


def test_what_inflates_beyond_the_limit_is_refused_on_the_way(asking: Asking, spool: Path, settings: Settings) -> None:
    settings.BATCH_MAX_BYTES = 5_000_000
    bomb = gzip.compress(ndjson([PERSON]) + b" " * 50_000_000)
    assert len(bomb) < 100_000
    assert issues(asking.kick_off(bomb), status=413)
    assert nothing_kept(spool)


def test_several_files_share_the_limit(asking: Asking, spool: Path, settings: Settings) -> None:
    settings.BATCH_MAX_BYTES = 3_000_000
    zipped = gzip.compress(ndjson([PERSON]) + b" " * 2_000_000)
    form = {"input": [ContentFile(zipped, "a.gz"), ContentFile(zipped, "b.gz")]}
    answer = asking.outside.web.post(KICK_OFF, form, headers={**LATER, **asking.outside.signed()})
    assert issues(answer, status=413)
    assert nothing_kept(spool)


def test_an_upload_that_breaks_off_is_not_begun(asking: Asking, spool: Path) -> None:
    answer = announced(asking, len(THE_CAST) + 1000, io.BytesIO(THE_CAST))
    assert "broke off" in issues(answer)[0]["diagnostics"]
    assert nothing_kept(spool)


def test_more_patients_than_a_caller_may_send_are_refused(asking: Asking, spool: Path) -> None:
    asking.outside.row.patients_per_batch = 5
    asking.outside.row.save()
    assert "5 patients" in issues(asking.kick_off(), status=413)[0]["diagnostics"]
    assert nothing_kept(spool)


def test_one_batch_at_a_time(asking: Asking) -> None:
    asking.begun()
    answer = asking.kick_off()
    assert issues(answer, status=429)
    assert int(answer["Retry-After"]) > 0
    work()
    asking.begun()


def test_the_day_has_so_many_batches_and_a_deleted_one_counts(asking: Asking) -> None:
    asking.outside.row.batches_per_day = 2
    asking.outside.row.save()
    for _ in range(2):
        asking.delete(asking.done())
    answer = asking.kick_off()
    assert issues(answer, status=429)
    assert 80_000 < int(answer["Retry-After"]) <= 86_400
    Batch.objects.update(created_at=timezone.now() - timedelta(days=1, minutes=1))
    asking.begun()


def test_who_may_begin_none_begins_none(asking: Asking) -> None:
    asking.outside.row.batches_per_day = 0
    asking.outside.row.save()
    assert issues(asking.kick_off(), status=429)


def test_a_disk_that_takes_nothing_is_ours_to_mend(asking: Asking, settings: Settings, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    settings.BULK_FOLDER = blocked / "spool"  # a file where a folder should be
    answer = asking.kick_off()
    assert issues(answer, status=503)
    assert int(answer["Retry-After"]) > 0

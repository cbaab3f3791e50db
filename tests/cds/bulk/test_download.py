"""The files of an export: whole or not taken, without the token elsewhere, and not fetched twice."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from pytest_django import Settings

from cds.bulk import Fetching, download
from cds.models import Ehr, ExportFile, PopulationRun
from cds.population import pause, resume, sweep
from tests.bulk_ehr import NDJSON, BulkEhr, Said
from tests.cds.bulk.conftest import gone_on, opened
from tests.cds.bulk.exports import FILE, LATER, STATUS, THE_CAST, failure
from tests.cds.population.conftest import reasons

State = PopulationRun.State


@pytest.mark.parametrize("token", [True, False])
def test_the_token_goes_to_files_only_where_the_manifest_says_so(
    exporting: Ehr, exporter: BulkEhr, files: BulkEhr, token: bool
) -> None:
    exporting.file_origins = files.url
    exporting.save()
    exporter.manifest["requiresAccessToken"] = token
    for item in exporter.manifest["output"]:
        item["url"] = item["url"].replace(exporter.url, files.url)
    assert gone_on(opened(exporting)).state == State.DONE
    assert {"authorization" in asked.headers for asked in files.asked} == {token}
    assert {asked.headers["accept"] for asked in files.asked} == {NDJSON}


def test_a_redirect_is_followed_to_a_registered_host_without_the_token(
    exporting: Ehr, exporter: BulkEhr, files: BulkEhr
) -> None:
    exporting.file_origins = files.url
    exporting.save()
    exporter.next[f"GET {FILE}"] = [Said(status=302, headers={"Location": f"{files.url}{FILE}"})]
    assert reasons(gone_on(opened(exporting))) == THE_CAST
    assert "authorization" not in files.last("GET", FILE).headers


def test_a_redirect_to_another_host_is_not_followed(exporting: Ehr, exporter: BulkEhr, files: BulkEhr) -> None:
    exporter.next[f"GET {FILE}"] = [Said(status=302, headers={"Location": f"{files.url}{FILE}"})]
    assert "not registered" in failure(exporting)
    assert not files.asked


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_link_that_expired_is_renewed(exporting: Ehr, exporter: BulkEhr, status: int) -> None:
    exporter.manifest["requiresAccessToken"] = False
    exporter.next[f"GET {FILE}"] = [Said(status=status)]
    assert reasons(gone_on(opened(exporting))) == THE_CAST
    assert (exporter.times("GET", STATUS), exporter.exports) == (2, 1)


def test_a_new_link_that_opens_nothing_is_said(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.next[f"GET {FILE}"] = [Said(status=410) for _ in range(4)]
    assert "though its link is new" in failure(exporting)


@pytest.mark.parametrize("kind", ["text/html", "application/fhir+json"])
def test_what_is_not_ndjson_is_not_read(exporting: Ehr, exporter: BulkEhr, kind: str) -> None:
    exporter.next[f"GET {FILE}"] = [Said(body=b"<html>", headers={"Content-Type": kind})]
    assert f"is {kind}, not NDJSON" in failure(exporting)


def test_a_file_that_breaks_off_is_fetched_again(exporting: Ehr, exporter: BulkEhr) -> None:
    whole = exporter.files["Patient.ndjson"]
    exporter.next[f"GET {FILE}"] = [Said(body=whole, headers={"Content-Type": NDJSON}, cut=True)]
    assert reasons(gone_on(opened(exporting))) == THE_CAST
    assert exporter.times("GET", FILE) == 2


def test_a_file_with_fewer_lines_than_promised_is_never_taken_for_whole(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.manifest["output"] = [exporter.item("Patient.ndjson", count=7)]
    exporter.next[f"GET {FILE}"] = [
        Said(status=503, headers=LATER),
        *(Said(body=exporter.files["Patient.ndjson"], headers={"Content-Type": NDJSON}) for _ in range(5)),
    ]
    assert failure(exporting) == "A file of the export has 6 lines, and 7 were promised."


def test_a_file_that_ends_within_a_line_is_fetched_again(exporting: Ehr, exporter: BulkEhr) -> None:
    whole = exporter.files["Patient.ndjson"]
    exporter.manifest["output"][0].pop("count")
    exporter.next[f"GET {FILE}"] = [Said(body=whole[:-20], headers={"Content-Type": NDJSON})]
    assert reasons(gone_on(opened(exporting))) == THE_CAST


def test_a_last_line_without_its_end_is_whole_if_it_is_json(exporting: Ehr, exporter: BulkEhr) -> None:
    exporter.files["Patient.ndjson"] = exporter.files["Patient.ndjson"].rstrip(b"\n")
    assert reasons(gone_on(opened(exporting))) == THE_CAST
    assert exporter.times("GET", FILE) == 1


def test_gzip_is_inflated(exporting: Ehr, exporter: BulkEhr) -> None:
    zipped = gzip.compress(exporter.files["Patient.ndjson"])
    exporter.next[f"GET {FILE}"] = [Said(body=zipped, headers={"Content-Type": NDJSON, "Content-Encoding": "gzip"})]
    assert reasons(gone_on(opened(exporting))) == THE_CAST
    assert "gzip" in exporter.last("GET", FILE).headers["accept-encoding"]


def test_a_gzip_bomb_ends_at_the_limit_and_leaves_nothing_on_the_disk(
    exporting: Ehr, exporter: BulkEhr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "FILE_BYTES", 5_000_000)
    bomb = gzip.compress(b" " * 60_000_000, 1)
    assert len(bomb) < 500_000
    exporter.next[f"GET {FILE}"] = [Said(body=bomb, headers={"Content-Type": NDJSON, "Content-Encoding": "gzip"})]
    run = opened(exporting)
    tracemalloc.start()
    gone_on(run)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (run.state, run.error) == (State.FAILED, "A file of the export is larger than 0.005 GB.")
    assert most < 30_000_000
    assert sum(file.stat().st_size for file in run.spool.rglob("Patient*")) == 0


def test_a_full_disk_is_named(exporting: Ehr, exporter: BulkEhr, settings: Settings) -> None:
    settings.BULK_FREE_BYTES = 10**18
    assert failure(exporting) == "The records could not be read or kept: No space left on device."


def test_files_are_for_their_owners_eyes_and_not_fetched_twice(exporting: Ehr, exporter: BulkEhr) -> None:
    run = opened(exporting)
    for step in sweep(run, run.folder):
        if isinstance(step, Fetching) and step.words.startswith("Observation"):
            assert pause(run, why="lunch", actor="it")
    there = [file for file in run.spool.rglob("*") if file.is_file()]
    assert there
    assert {file.stat().st_mode & 0o777 for file in there} == {0o600}
    assert {folder.stat().st_mode & 0o777 for folder in (run.spool.parent, run.spool, run.folder)} == {0o700}
    whole = ExportFile.objects.exclude(sha256="").count()
    assert resume(run, why="back", actor="it")
    assert gone_on(run).state == State.DONE
    assert whole
    again = {name for name in exporter.files if exporter.times("GET", f"/files/{name}") > 1}
    assert again <= {"Observation.ndjson"}

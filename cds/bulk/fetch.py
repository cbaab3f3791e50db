"""The records that a run is about, from the EHR into the run's folder; stopped anywhere, it goes on where it was."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Generator, Iterator

import requests
from django.db import transaction
from django.utils import timezone

from cds import audit, registry
from cds.bulk import download, manifest
from cds.bulk.accounts import settle
from cds.bulk.changed import newcomers, take_note
from cds.bulk.crawl import about, crawl, everybody, listing
from cds.bulk.kickoff import NoExport, narrowed, type_filters
from cds.bulk.pace import Fetching, due, put_off
from cds.bulk.polling import await_manifest
from cds.errors import BadInput, CdsError, FhirError, FhirRefused, FhirUnreachable, Gone
from cds.models import Ehr, Export, ExportFile, PopulationRun
from cds.needs import Need
from cds.system import Access, access_to

logger = logging.getLogger(__name__)

TRIES = 5  # of one file, with growing pauses


def fetch(run: PopulationRun) -> Iterator[Fetching]:
    """Bring everybody's records to `run.folder`, and what the EHR says of what it left out to the run's accounts.

    By ordinary search, where the EHR has no export. Between two steps the caller may stop; the next call goes on.
    Raises CdsError where it cannot go on.
    """
    if run.ehr is None:
        raise BadInput("Only an EHR's records can be fetched: name the EHR.")
    export, _ = Export.objects.select_related("run__ehr").get_or_create(run=run)
    if export.fetched_at is not None:
        return
    yield Fetching(words="asking the EHR for access")
    run.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    run.spool.chmod(0o700)
    access = _access(run.ehr, export)
    if run.since is not None:
        yield from _changed(export, access)
    elif run.source == PopulationRun.Source.EXPORT:
        try:
            yield from _once_more(export, access)
        except NoExport:
            run.source = PopulationRun.Source.CRAWL
            run.save(update_fields=["source"])
    if run.source == PopulationRun.Source.CRAWL:
        yield from _crawled(export, access)
    export.fetched_at, export.progress, export.next_at = timezone.now(), "", None
    export.save(update_fields=["fetched_at", "progress", "next_at"])


def _once_more(export: Export, access: Access) -> Iterator[Fetching]:
    """From the beginning, where the export or its links are gone."""
    try:
        yield from _exported(export, access)
    except Gone:
        _forget(export)
        yield from _exported(export, access)


def _changed(export: Export, access: Access) -> Iterator[Fetching]:
    """The export says who changed; their records are read whole, by ordinary search."""
    if not listing(export).exists():
        try:
            yield from _once_more(export, access)
        except NoExport as error:
            raise BadInput("The EHR has no export, and so does not say who changed: ask about everybody.") from error
        yield Fetching(words="who changed")
        people = take_note(export)
        if export.run.detail:
            people |= newcomers(export.run, everybody(access, export.run.detail))
        about(export, access, people)
    yield from _crawled(export, access)


def _crawled(export: Export, access: Access) -> Iterator[Fetching]:
    needs = _asked(export, access)
    export.kinds = sorted({need.resource for need in needs})
    export.save(update_fields=["kinds"])
    yield from crawl(export, access, needs)
    _require_a_file(export)


def _access(ehr: Ehr, export: Export) -> Access:
    """What the service must know is needed; what it would like to know is asked for, too."""
    needs = registry.get(export.run.service_id).needs
    needed = {f"{need.resource}.rs" for need in needs if need.required}
    return access_to(ehr, needed=needed, wanted=[*(f"{need.resource}.rs" for need in needs), "Group.rs"])


def _exported(export: Export, access: Access) -> Iterator[Fetching]:
    with access.session(origins=tuple(access.ehr.file_origins.split())) as session:
        if export.status_url is None:
            yield from _begin(export, access, session)
        if export.listed_at is None:
            _list(export, (yield from _files(export, access, session)))
        for file in export.files.order_by("part", "position"):
            yield from _insist_on(file, export, access, session)
        settle(export)
        if export.run.since is None:
            take_note(export)
            _require_a_file(export)
        _delete(export, session)


def _require_a_file(export: Export) -> None:
    """Nobody is an answer, too."""
    if not any(export.run.folder.iterdir()):
        (export.run.folder / "Patient.ndjson").touch(mode=0o600)


def _begin(export: Export, access: Access, session: requests.Session) -> Iterator[Fetching]:
    """The address is kept before anybody looks there: whoever is killed from now on goes on there."""
    needs = _asked(export, access)
    export.kinds = sorted({need.resource for need in needs})
    filters = type_filters(needs) if access.ehr.export_filters else []
    parameters = [("_type", kind) for kind in export.kinds]
    if since := export.run.since:
        parameters.append(("_since", since.isoformat()))
    url = yield from narrowed(export, session, parameters, filters)
    export.status_url, export.tries, export.next_at = url.encode(), 0, None
    export.save()
    asked = {"types": export.kinds, "since": since.isoformat() if since else ""}
    audit.record("bulk-export", actor=audit.US, ehr=access.ehr, subject=str(export.run_id), **asked)


def _asked(export: Export, access: Access) -> list[Need]:
    """What the token opens and the EHR has, by the names of its version. All else stays unread, which is said."""
    client = access.client()
    needs = [client.version.asks(need) for need in registry.get(export.run.service_id).needs]
    return [need for need in needs if client.opens(need) and client.searches.offers(need)]


def _files(export: Export, access: Access, session: requests.Session) -> Generator[Fetching, None, list[ExportFile]]:
    """What the manifest names now, all of its pages."""
    pages, url = list[tuple[str, manifest.Manifest]](), bytes(export.status_url or b"").decode()
    while url and url not in dict(pages):
        page = manifest.read((yield from await_manifest(export, session, url)))
        pages.append((url, page))
        url = page.next_page(url)
    files = list(manifest.files_in(pages, export))
    manifest.require_known(files, (access.ehr.fhir_base, *access.ehr.file_origins.split()))
    export.needs_token, export.transaction_time = pages[0][1].requires_access_token, pages[0][1].transaction_time[:40]
    return files


@transaction.atomic
def _list(export: Export, files: list[ExportFile]) -> None:
    ExportFile.objects.bulk_create(files)
    export.listed_at, export.next_at, export.tries = timezone.now(), None, 0
    export.save()


def _insist_on(file: ExportFile, export: Export, access: Access, session: requests.Session) -> Iterator[Fetching]:
    """Once it is here it is not fetched again. A link that has expired is renewed once."""
    file.export, renewed, tries = export, False, 0
    while not file.here:
        yield from due(export)
        try:
            yield from download.bring(file, ehr=access.ehr, auth=access if export.needs_token else None)
        except download.Expired as error:
            if renewed:
                raise FhirRefused("The EHR does not hand out a file of its export, though its link is new.") from error
            renewed = True
            yield from _renew(file, export, access, session)
        except (FhirUnreachable, download.Cut) as error:
            tries += 1
            if tries == TRIES:
                raise
            export.tries = tries
            put_off(export, str(int(error.retry_after)) if error.retry_after is not None else "")
    export.next_at = None


def _renew(file: ExportFile, export: Export, access: Access, session: requests.Session) -> Iterator[Fetching]:
    """The manifest is read again: it may have new links for the same files. Raises Gone where it has other files."""
    found = {(one.part, one.position): one for one in (yield from _files(export, access, session))}
    same = found.get((file.part, file.position))
    if same is None or (same.kind, same.count) != (file.kind, file.count):
        raise Gone("The EHR's export has other files now.")
    for row in export.files.all():
        if one := found.get((row.part, row.position)):
            ExportFile.objects.filter(pk=row.pk).update(url=one.url)
    file.url = same.url


def _forget(export: Export) -> None:
    """Nothing of it is of use any more."""
    logger.warning("run %s: the EHR's export is gone, and is asked for again", export.run_id)
    with transaction.atomic():
        export.files.all().delete()
        export.status_url = export.listed_at = export.next_at = None
        export.save()
    for folder in (export.run.folder, *(export.run.spool / part for part in ExportFile.Part)):
        shutil.rmtree(folder, ignore_errors=True)
    export.run.folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def let_go(run: PopulationRun) -> None:
    """Tell the EHR that its export is needed no longer, whether it was finished or not. That never fails."""
    export = Export.objects.select_related("run__ehr").filter(run=run).exclude(status_url=None).first()
    if export is None or run.ehr is None:
        return
    try:
        access = _access(run.ehr, export)
        with access.session(origins=tuple(access.ehr.file_origins.split())) as session:
            _delete(export, session)
    except CdsError:
        logger.exception("run %s: the EHR could not be told that its export is no longer needed", run.pk)


def _delete(export: Export, session: requests.Session) -> None:
    """Bulk Data, "Bulk Data Delete Request". One that is gone already is as good."""
    url = bytes(export.status_url or b"").decode()
    try:
        status = session.delete(url, headers={"Accept": "application/fhir+json"}, allow_redirects=False).status_code
    except FhirError as error:
        logger.warning("run %s: the export was not deleted at the EHR (%s)", export.run_id, type(error).__name__)
        return
    if status >= 400 and status not in {404, 410}:
        logger.warning("run %s: the export was not deleted at the EHR (%d)", export.run_id, status)
        return
    export.status_url = None
    export.save(update_fields=["status_url"])

"""The chart itself: resources and their versions, in memory, safe for threads; a restart is a reset."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache

from smartapp.demo_ehr.cast import read_cast
from smartapp.demo_ehr.outcomes import FhirError, Resource
from smartapp.demo_ehr.population import population_group

Key = tuple[str, str]


class Store:
    """What is read from here is shared: never change it, write a new version."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._written_to = threading.Condition(self._lock)
        self._journal: list[Key | None] = []
        self.reset()

    def reset(self) -> None:
        """Back to the cast as it was at the start of the day."""
        with self._lock:
            self._versions: dict[Key, tuple[Resource, ...]] = {}
            self._deleted: dict[Key, datetime] = {}
            self._authors: dict[Key, str] = {}
            for resource in [*read_cast(), *population_group()]:
                self._put(resource, resource["id"], author="hospital")
            self._journal = [None] * len(self._journal)  # of the day before; who follows it keeps their place

    @property
    def position(self) -> int:
        """Where the journal of what was written ends now."""
        with self._lock:
            return len(self._journal)

    def written_since(self, position: int, *, wait: float) -> tuple[list[Resource], int]:
        """What was written after `position`, and the new one; waits up to `wait` seconds until there is something."""
        with self._written_to:
            self._written_to.wait_for(lambda: len(self._journal) > position, timeout=wait)
            keys = [
                key for key in self._journal[position:] if key and key in self._versions and key not in self._deleted
            ]
            return [self._versions[key][-1] for key in keys], len(self._journal)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is written inside is undone when the block fails; nobody else writes or reads meanwhile."""
        with self._lock:
            before = (dict(self._versions), dict(self._deleted), dict(self._authors))
            written = len(self._journal)
            try:
                yield
            except BaseException:
                self._versions, self._deleted, self._authors = before
                del self._journal[written:]
                raise

    def read(self, kind: str, resource_id: str) -> Resource:
        with self._lock:
            if (kind, resource_id) in self._deleted:
                raise FhirError(410, "deleted", f"{kind} was deleted")
            versions = self._versions.get((kind, resource_id))
        if not versions:
            raise FhirError(404, "not-found", f"no {kind} with this id")
        return versions[-1]

    def read_version(self, kind: str, resource_id: str, version: str) -> Resource:
        with self._lock:
            versions = self._versions.get((kind, resource_id), ())
        found = [resource for resource in versions if resource["meta"]["versionId"] == version]
        if not found:
            raise FhirError(404, "not-found", f"no such version of this {kind}")
        return found[0]

    def has(self, kind: str, resource_id: str) -> bool:
        with self._lock:
            return (kind, resource_id) in self._versions and (kind, resource_id) not in self._deleted

    def all(self, kind: str) -> list[Resource]:
        """Every current resource of the type, oldest entry first."""
        with self._lock:
            live = [key for key in self._versions if key[0] == kind and key not in self._deleted]
            return [self._versions[key][-1] for key in live]

    def author(self, resource: Resource) -> str:
        """Which client wrote the last version: a client id, "clinician" or "hospital"."""
        with self._lock:
            return self._authors[(resource["resourceType"], resource["id"])]

    def create(self, resource: Resource, *, author: str, resource_id: str | None = None) -> Resource:
        """The stored resource; the server chooses the id, whatever the body says."""
        return self._put(resource, resource_id or uuid.uuid4().hex, author=author)

    def update(self, resource: Resource, *, author: str, if_match: str | None = None) -> Resource:
        """A new version; 412 when `if_match` names another version than the current one."""
        with self._lock:
            current = self.read(resource["resourceType"], resource["id"])
            if if_match is not None and if_match != current["meta"]["versionId"]:
                raise FhirError(412, "conflict", f"the current version is {current['meta']['versionId']}")
            return self._put(resource, resource["id"], author=author)

    def delete(self, kind: str, resource_id: str) -> None:
        with self._lock:
            self.read(kind, resource_id)
            self._deleted[(kind, resource_id)] = datetime.now(UTC)

    def deleted_since(self, moment: datetime) -> list[Key]:
        with self._lock:
            return [key for key, at in self._deleted.items() if at > moment]

    def _put(self, resource: Resource, resource_id: str, *, author: str) -> Resource:
        key = (resource["resourceType"], resource_id)
        with self._lock:
            earlier = self._versions.get(key, ())
            stored = copy.deepcopy(resource) | {"id": resource_id}
            stamp = {"versionId": str(len(earlier) + 1), "lastUpdated": datetime.now(UTC).isoformat()}
            stored["meta"] = stored.get("meta", {}) | stamp
            self._versions[key] = (*earlier, stored)
            self._authors[key] = author
            self._journal.append(key)
            self._written_to.notify_all()
            return stored


@lru_cache(maxsize=1)
def chart_store() -> Store:
    """The one chart of this process, loaded at first use."""
    return Store()

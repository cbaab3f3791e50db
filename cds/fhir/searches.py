"""How one server is asked: for which needs, in which words, in one batch or side by side. Nothing is sent here.

What a server announces decides (its CapabilityStatement); what it leaves unsaid, the vendor's preset may know. Rules:

- A batch only where `rest.interaction` names it (R4 http, "batch/transaction": a server may have one without the other).
- `_sort` only where it is announced or the vendor is known to take it. US Core asks no server for it, and some answer
  400 (awslabs/fhir-works-on-aws-deployment#212). Without it all pages are read and sorted here: `cds.gather`.
- A search parameter that a type does not announce is left out. That only widens the answer: `cds.fhir.read` looks at
  every code itself. At Epic the category stays all the same.
- A type that is not offered is not asked for.
- GET alone: by POST (`_search`) some are answered with 404 (Epic), and others have none (Oracle Health).
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from cds.fhir.capability import Capability, Named, ResourceEntry
from cds.needs import Need
from cds.presets import BY_KEY, Preset

_CONTROLS = {"_count", "_sort"}
_MATTERS = {*_CONTROLS, "category", "code"}


class Announced(Struct, frozen=True, kw_only=True):
    """What matters here of a CapabilityStatement: each type that can be searched, with its search parameters.

    No types: it says nothing of them, and each may be tried. No parameters: the same, of these.
    """

    batch: bool = False
    types: dict[str, tuple[str, ...]] = {}

    @classmethod
    def by(cls, statement: Capability) -> Announced:
        everywhere = [one for rest in statement.rest for one in rest.search_param or () if one.name in _CONTROLS]
        entries = [entry for rest in statement.rest for entry in rest.resource if _readable(entry)]
        types = {entry.type: _names([*everywhere, *(entry.search_param or ())]) for entry in entries}
        return cls(batch=statement.can_as_a_whole("batch"), types=types)


class Searches(Struct, frozen=True, kw_only=True):
    """How this server is asked."""

    announced: Announced = Announced()
    vendor: Preset = BY_KEY["other"]

    @property
    def together(self) -> bool:
        """In one batch; else each for itself, at the same time."""
        return self.announced.batch

    def offers(self, need: Need) -> bool:
        return not self.announced.types or need.resource in self.announced.types

    def sorts(self, resource: str) -> bool:
        return self.vendor.sorts or "_sort" in self.announced.types.get(resource, ())

    def asks(self, need: Need) -> Need:
        """The need in the words that this server takes. It finds no less; a page holds what the server gives at once."""
        parts = [part.partition("=") for part in need.query.split("&") if part]
        taken = [f"{name}={value}" for name, _, value in parts if name != "_count" and self._takes(need.resource, name)]
        page = [f"_count={min(int(value), self.vendor.page)}" for name, _, value in parts if name == "_count"]
        return replace(need, query="&".join([*taken, *page]))

    def _takes(self, resource: str, name: str) -> bool:
        if name == "_sort":
            return self.sorts(resource)
        if name == "_id":
            return True  # R4 search, "Parameters for all resources"
        if name == "code" and resource in self.vendor.not_by_code:
            return False
        if name == "category" and resource in self.vendor.by_category:
            return True
        known = set(self.announced.types.get(resource, ())) - _CONTROLS
        return not known or name in known

    def in_words(self, needs: list[Need]) -> str:
        """For the administrator, in one line."""
        ways = ["all in one batch" if self.together else "each kind of data for itself, all at once"]
        ways.append("newest first" if self.sorts("Observation") else "in any order, every page, sorted by Bedside")
        ways.append(f"at most {self.vendor.page} a page")
        if missing := sorted({need.resource for need in needs if not self.offers(need)}):
            ways.append(f"without {', '.join(missing)}, which it does not offer")
        return "; ".join(ways)


def _readable(entry: ResourceEntry) -> bool:
    """The Patient is read, everything else is searched; an entry that names no interaction says nothing."""
    wanted = "read" if entry.type == "Patient" else "search-type"
    return not entry.interaction or wanted in {one.code for one in entry.interaction}


def _names(found: list[Named]) -> tuple[str, ...]:
    """Of a type without one that matters, one stays, to show that others were named."""
    names = sorted({one.name for one in found})
    return tuple(name for name in names if name in _MATTERS) or tuple(names[:1])

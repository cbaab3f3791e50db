"""The record as it stood at an earlier moment: what cannot be shown to have been there by then is not read at all.

So nothing built on it can look ahead. What a resource says of itself decides: when it was recorded, issued or authored,
not only of when it tells. `meta.lastUpdated` is no help: it is often the day on which a copy was loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from cds.facts import When
from cds.fhir import shapes
from cds.fhir.dates import parse
from cds.fhir.read import Reader, Reading
from cds.fhir.said import relative
from cds.fhir.versions import settle
from cds.needs import Need

# What goes on until its end is known. The status of an order stays today's: no date says when it changed.
_GOING_ON = {"Encounter": "in-progress", "Procedure": "in-progress", "MedicationStatement": "active"}


class PastReader(Reader):
    """Reads what was known strictly before `index`; of an Encounter also the one that begins there.

    `visits`: when each "Encounter/id" began. A Condition without a recorded date was recorded in its encounter.
    """

    def __init__(self, *, index: datetime, visits: Mapping[str, When], **more: Any) -> None:
        super().__init__(**more)
        self.index = index
        self.visits = visits

    def _resources(self, need: Need, raw: bytes | msgspec.Raw, reading: Reading) -> Iterator[Any]:
        return (found for found in super()._resources(need, raw, reading) if self._was_there(found))

    def _singles(self, *asked: Any) -> list[Any]:
        return [found for found in super()._singles(*asked) if self._was_there(found)]

    def _was_there(self, found: Any) -> bool:
        if isinstance(found, shapes.Patient):
            self._forget_death(found)
            return True
        if isinstance(found, shapes.Observation):
            return self._before(_observed(found))
        if isinstance(found, shapes.ImagingStudy):
            return self._before([found.started], visit=found.encounter or found.context)
        settle(found)
        self._forget_end(found)
        if found.resource_type == "Encounter":
            begun = self._latest([(found.period or shapes.Period()).start])
            return begun is not None and begun <= self.index
        return self._before(_stated(found), visit=found.encounter or found.context)

    def _before(self, texts: Iterable[str | None], *, visit: shapes.Reference | None = None) -> bool:
        """Surely: without any date, or with one that cannot be read, it is not."""
        known = self._latest(texts)
        begun = self.visits.get(relative(visit.reference or "")) if visit else None
        return known is not None and known < self.index and (begun is None or begun.latest <= self.index)

    def _latest(self, texts: Iterable[str | None]) -> datetime | None:
        dates = [parse(text, self.zone) for text in texts if text]
        return max((date.latest for date in dates if date), default=None) if None not in dates else None

    def _forget_death(self, found: shapes.Patient) -> None:
        """Who had an index time was alive; a death without a date came later."""
        died = self._latest([found.deceased_date_time])
        if died is None or died >= self.index:
            found.deceased_boolean = found.deceased_date_time = None

    def _forget_end(self, found: shapes.Statement) -> None:
        """An end that lies ahead was not known, and of a Condition without an end nobody knows since when it is over."""
        for name in ("period", "effective_period", "performed_period", "onset_period"):
            period = getattr(found, name)
            if period and period.end and self._ahead(period.end):
                setattr(found, name, shapes.Period(start=period.start))
                found.status = _GOING_ON.get(found.resource_type, found.status)
        if found.resource_type == "Condition" and (
            not found.abatement_date_time or self._ahead(found.abatement_date_time)
        ):
            found.abatement_date_time, found.clinical_status = None, "active"

    def _ahead(self, text: str) -> bool:
        when = parse(text, self.zone)
        return when is None or when.latest >= self.index


def _observed(found: shapes.Observation) -> tuple[str | None, ...]:
    period = found.effective_period or shapes.Period()
    return found.effective_date_time, found.effective_instant, period.end or period.start, found.issued


def _stated(found: shapes.Statement) -> tuple[str | None, ...]:
    periods = (found.onset_period, found.effective_period, found.performed_period)
    return (
        *(found.recorded_date, found.recorded, found.authored_on, found.date_asserted),
        *(found.onset_date_time, found.effective_date_time, found.performed_date_time),
        *(period.start for period in periods if period),
    )

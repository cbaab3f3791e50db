"""Dates and times as DICOM writes them (PS3.5, 6.2: DA, TM, DT), with the offset that the object names or in the EHR's zone."""

from __future__ import annotations

from datetime import datetime, time, tzinfo

from pydicom.dataset import Dataset
from pydicom.valuerep import DA, DT, TM

from cds.facts import When

_END_OF_DAY = time(23, 59, 59, 999_999)


def moment(dataset: Dataset, what: str, *, zone: tzinfo) -> When | None:
    """Of StudyDate and StudyTime, ContentDate and ContentTime, and so on; None without a date that can be read."""
    day_text, clock_text = dataset.get(f"{what}Date"), dataset.get(f"{what}Time")
    try:
        day, clock = DA(day_text) if day_text else None, TM(clock_text) if clock_text else None
    except ValueError:
        return None
    if day is None:
        return None
    there = _offset(dataset) or zone
    if clock is None:
        return When(
            text=day.isoformat(),
            earliest=datetime.combine(day, time.min, tzinfo=zone),
            latest=datetime.combine(day, _END_OF_DAY, tzinfo=zone),
        )
    at = datetime.combine(day, clock, tzinfo=there).astimezone(zone)
    return When(text=at.isoformat(), earliest=at, latest=at)


def observed(item: Dataset, report: Dataset, *, zone: tzinfo) -> When | None:
    """When a content item was observed (PS3.3, C.17.3.2.5); else when the study was made: a report may be written late."""
    try:
        said = DT(item.get("ObservationDateTime") or "")
    except ValueError:
        said = None
    if said is None:
        return moment(report, "Study", zone=zone) or moment(report, "Content", zone=zone)
    there = said.tzinfo or _offset(report) or zone
    at = datetime.combine(said.date(), said.time(), tzinfo=there).astimezone(zone)  # a plain one, and not pydicom's
    return When(text=at.isoformat(), earliest=at, latest=at)


def _offset(dataset: Dataset) -> tzinfo | None:
    """PS3.3, C.12.1.1.8."""
    try:
        return datetime.strptime(str(dataset.get("TimezoneOffsetFromUTC") or ""), "%z").tzinfo
    except ValueError:
        return None

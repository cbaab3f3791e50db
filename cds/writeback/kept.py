"""What a service wants kept of its answer, by where it goes."""

from __future__ import annotations

from typing import NamedTuple

from cds import registry
from cds.errors import BadInput
from cds.models import Assessment, WriteBack
from cds.records import Charted, ObservationRecord, ReportRecord


class Kept(NamedTuple):
    """A service's records."""

    chart: list[Charted]
    report: ReportRecord | None

    @property
    def observation(self) -> ObservationRecord | None:
        return next((record for record in self.chart if isinstance(record, ObservationRecord)), None)

    @property
    def targets(self) -> list[WriteBack.Target]:
        """Where there is something to send."""
        wanted = {WriteBack.Target.CHART: bool(self.chart), WriteBack.Target.ARCHIVE: self.report is not None}
        return [target for target, something in wanted.items() if something]


def records(assessment: Assessment) -> Kept:
    """Raises BadInput while there is no answer, Gone once its facts were deleted after their retention time."""
    if assessment.outcome is None:
        raise BadInput("this assessment has no answer yet")
    context, service = assessment.context, registry.get(assessment.service_id)
    made = service.records(assessment.outcome, context, assessment_id=str(assessment.id), at=context.now)
    reports = [record for record in made if isinstance(record, ReportRecord)]
    return Kept(
        chart=[record for record in made if not isinstance(record, ReportRecord)],
        report=reports[0] if reports else None,
    )

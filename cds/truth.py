"""What a later look at the record says by its diagnoses alone, for services that look for a disease."""

from __future__ import annotations

from datetime import datetime

from cds.context import PatientContext
from cds.service import Truth
from cds.value_sets import ValueSet


def diagnosed(context: PatientContext, disease: ValueSet, *, since: datetime, until: datetime) -> Truth | None:
    """True where it is on the record by `until`; no diagnosis says nothing.

    It may be dated before `since`: it was not on the record then, or the model would not have been asked.
    """
    found = disease.first([diagnosis for diagnosis in context.diagnoses if diagnosis.certain])
    at = min(found.start.earliest if found and found.start else context.now, context.now)
    return Truth(label=True, at=max(at, since), known_by="diagnosis") if found and at <= until else None

"""FHIR's own media types, for what comes in and for files."""

from __future__ import annotations

from cds.fhir.versions import FHIR_JSON
from cds.formats import Body

NDJSON = "application/fhir+ndjson"


class FhirBody(Body):
    media_type = FHIR_JSON

"""`python -m tests.cds.writeback.calling_off ASSESSMENT FHIR_USER`: calls off a save, so that a test can kill it."""

from __future__ import annotations

import sys

import django


def main(assessment_id: str, fhir_user: str) -> None:
    django.setup()
    from cds.connect import bearer_client
    from cds.models import Assessment
    from cds.writeback import call_off

    assessment = Assessment.objects.select_related("ehr").get(pk=assessment_id)
    call_off(assessment, client=bearer_client(assessment.ehr, "a token"), by=fhir_user)


if __name__ == "__main__":
    main(*sys.argv[1:])

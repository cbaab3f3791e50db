"""`python -m tests.cds.writeback.saving ASSESSMENT FHIR_USER`: a process that saves an answer, so that a test can kill it."""

from __future__ import annotations

import sys

import django


def main(assessment_id: str, fhir_user: str) -> None:
    django.setup()
    from cds.connect import bearer_client
    from cds.fhir.identity import identity
    from cds.models import Assessment
    from cds.writeback import write_back

    assessment = Assessment.objects.select_related("ehr").get(pk=assessment_id)
    client = bearer_client(assessment.ehr, "a token")
    patient = identity(client.request_json("Patient/ada"), mrn_system="")
    write_back(assessment, client=client, patient=patient, confirmed_by=fhir_user)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What "Save to chart" keeps in the tests: one answer about Ada, as its three records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

from cds.codes import OURS, Code
from cds.facts import Quantity, When
from cds.fhir.transaction import transaction
from cds.finding import Estimate, Factor
from cds.identity import PatientIdentity
from cds.records import Algorithm, Charted, ObservationRecord, ReportRecord, RiskAssessmentRecord

ASSESSMENT_ID = "7d0f2f60-6d0f-4b52-9a7e-0d7a5f0c1b11"
AT = datetime(2026, 3, 1, 9, 30, 15, tzinfo=timezone(timedelta(hours=5, minutes=30)))
CARD = "# diabetes-risk 1.0.0+nhanes\n\nFinds what nobody has found.\n"
ALGORITHM = Algorithm(name="diabetes-risk", version="1.0.0+nhanes", title="Bedside diabetes-risk", card=CARD)
OUTCOME = Code(f"{OURS}/outcome", "hba1c-6.5-undiagnosed")
MEASURED = When(text="2026-02-11", earliest=datetime(2026, 2, 11, tzinfo=AT.tzinfo), latest=AT)

FACTORS = (
    Factor(
        key="glucose",
        label="Glucose",
        contribution=0.8512345678901234567,
        points=0.07,
        quantity=Quantity(value=121.33333333333333, unit="mg/dL"),
        when=MEASURED,
        source="Observation/ada-glucose",
    ),
    Factor(key="systolic", label="Systolic pressure", contribution=-1e-7, points=0.0, text="not known"),
    Factor(key="age", label="Age", contribution=0.31, points=0.02, text="61 years"),
)
_SHARES = sum(factor.contribution for factor in FACTORS)
ESTIMATE = Estimate(
    probability=0.18412345,
    margin=-1.4886,
    base=-1.4886 - _SHARES,
    factors=FACTORS,
    threshold=0.1,
    model=ALGORITHM.name,
    version=ALGORITHM.version,
    peers=0.04,
    peers_text="women aged 55 to 64",
)
OBSERVATION = ObservationRecord(
    identifier=f"{ASSESSMENT_ID}-observation",
    code=Code(f"{OURS}/observation", "hba1c-6.5-p"),
    display="Probability of HbA1c >= 6.5 %, diabetes not diagnosed",
    patient_id="ada",
    at=AT,
    value=Quantity(value=18.4, unit="%"),
    algorithm=ALGORITHM,
    derived_from=("Observation/ada-glucose",),
    note="About 18 in 100 similar adults <had> 6.5 % & more.",
)
RISK = RiskAssessmentRecord(
    identifier=ASSESSMENT_ID,
    patient_id="ada",
    at=AT,
    outcome=OUTCOME,
    outcome_text="HbA1c >= 6.5 %, diabetes not diagnosed",
    probability=ESTIMATE.probability,
    qualitative="moderate",
    algorithm=ALGORITHM,
    basis=("Observation/ada-glucose",),
    rationale="Glucose 121.3 mg/dL (2026-02-11), +0.851 log-odds",
)
REPORT = ReportRecord(
    assessment_id=ASSESSMENT_ID,
    at=AT,
    title="Estimate of undiagnosed diabetes",
    outcome=OUTCOME,
    outcome_text=RISK.outcome_text,
    qualitative="moderate",
    estimate=ESTIMATE,
    algorithm=ALGORITHM,
    conclusion=OBSERVATION.note,
    doubts=("HbA1c: not on record", "Waist: last 3 Mar 2019, too old to use"),
    limits=("It looks for diabetes that is there now.", "Not for: children; pregnancy."),
)
ADA = PatientIdentity(
    id="ada",
    family="Lindqvist",
    given="Ada",
    birth_date=date(1964, 8, 9),
    sex="female",
    mrn="NG-100461",
    issuer="urn:oid:2.16.840.1.113883.19.5.99.1",
)


def essential(records: Sequence[Charted], *, fhir_user: str = "") -> dict[str, Any]:
    """What an EHR is sent that lets us create nothing beside the records."""
    return transaction(records, fhir_user=fhir_user, confirmed_at=AT, beside=frozenset())

"""Code systems, and each code that more than one module needs, named once.

A `Code` is the pair (system, code); it is matched as a pair, never by its display.
"""

from __future__ import annotations

from typing import NamedTuple

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10WHO = "http://hl7.org/fhir/sid/icd-10"
ICD9CM = "http://hl7.org/fhir/sid/icd-9-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CPT = "http://www.ama-assn.org/go/cpt"
ATC = "http://www.whocc.no/atc"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
RACE = "urn:oid:2.16.840.1.113883.6.238"
OURS = "https://bedside.dev/fhir/CodeSystem"  # the base of code systems of our own


class Code(NamedTuple):
    system: str
    code: str


_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
# What HL7 moved to its terminology site with R4, and where STU3 has it.
STU3_NAMES = {
    ACT_CODE: "http://hl7.org/fhir/v3/ActCode",
    OBSERVATION_CATEGORY: "http://hl7.org/fhir/observation-category",
    OBSERVATION_VALUE: "http://hl7.org/fhir/v3/ObservationValue",
    f"{_TERMINOLOGY}/risk-probability": "http://hl7.org/fhir/risk-probability",
    f"{_TERMINOLOGY}/v2-0074": "http://hl7.org/fhir/v2/0074",
    f"{_TERMINOLOGY}/v2-0203": "http://hl7.org/fhir/v2/0203",
    f"{_TERMINOLOGY}/v3-Confidentiality": "http://hl7.org/fhir/v3/Confidentiality",
    f"{_TERMINOLOGY}/v3-DataOperation": "http://hl7.org/fhir/v3/DataOperation",
}
# HL7 OIDs of the same systems, as CDA-minded servers send them.
_SAME_SYSTEM = {
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "urn:oid:2.16.840.1.113883.6.90": ICD10CM,
    "urn:oid:2.16.840.1.113883.6.3": ICD10WHO,
    "urn:oid:2.16.840.1.113883.6.103": ICD9CM,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
    **{theirs: ours for ours, theirs in STU3_NAMES.items()},
}


def code_of(system: str, code: str) -> Code:
    """The code under the name that its system has in FHIR R4."""
    return Code(_SAME_SYSTEM.get(system, system), code)


def loinc(*codes: str) -> frozenset[Code]:
    return frozenset(Code(LOINC, code) for code in codes)


BLOOD_PRESSURE_PANELS = loinc("85354-9", "55284-4")
HBA1C_ORDER = Code(LOINC, "4548-4")
FASTING_GLUCOSE_ORDER = Code(LOINC, "1558-6")
BLOOD_PRESSURE_ORDER = Code(LOINC, "85354-9")
LABORATORY_PROCEDURE = Code(SNOMED, "108252007")
PREGNANCY_STATUS = Code(LOINC, "82810-3")
RISK_ASSESSMENT_DOCUMENT = Code(LOINC, "71482-4")

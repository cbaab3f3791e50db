"""Ada's chart as servers of each FHIR version have it: the same facts, in the shapes of the official examples."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cds.codes import ICD10CM, LOINC, RXNORM, SNOMED, UCUM
from cds.fhir.versions import Version

Resource = dict[str, Any]
ADA = {"reference": "Patient/ada"}
STU3, R5 = Version.STU3, Version.R5
_MEASURED = {  # code, value, unit, days ago
    "height": ("8302-2", 167, "cm", 40),
    "weight": ("29463-7", 92.5, "kg", 40),
    "cholesterol": ("2093-3", 221, "mg/dL", 40),
    "hdl": ("2085-9", 41, "mg/dL", 40),
    "triglycerides": ("2571-8", 212, "mg/dL", 40),
}
_VITALS = {"height", "weight"}


def chart(version: Version, now: datetime) -> list[Resource]:
    """Every resource is valid in its version."""
    made = _Chart(version, now)
    return [
        *(made.patient(), made.hypertension(), made.refuted_diabetes(), made.visit(), made.stay()),
        *(made.tablets(), made.past_steroid(), made.endoscopy(), made.lipid_panel_ordered()),
        *(made.glucose("in-hospital", 212, 300), made.glucose("outside", 121, 40), made.pressure()),
        *(made.measured(key, *given) for key, given in _MEASURED.items()),
    ]


class _Chart:
    def __init__(self, version: Version, now: datetime) -> None:
        self.version, self.now = version, now

    def day(self, ago: int) -> str:
        return (self.now - timedelta(days=ago)).date().isoformat()

    def time(self, ago: int, hours: int = 0) -> str:
        return (self.now - timedelta(days=ago) + timedelta(hours=hours)).isoformat(timespec="seconds")

    def system(self, name: str, stu3: str) -> str:
        """A code system that moved to HL7's terminology site with R4."""
        return (
            f"http://hl7.org/fhir/{stu3}" if self.version is STU3 else f"http://terminology.hl7.org/CodeSystem/{name}"
        )

    def status(self, name: str, code: str) -> Any:
        """Of a Condition: a bare code in STU3."""
        return code if self.version is STU3 else _concept(f"http://terminology.hl7.org/CodeSystem/{name}", code)

    def patient(self) -> Resource:
        kind = _concept(self.system("v2-0203", "v2/0203"), "MR")
        number = {"use": "usual", "type": kind, "system": "urn:oid:2.16.840.1.113883.19.5.99.1", "value": "NG-100461"}
        name = {"use": "official", "family": "Lindqvist", "given": ["Ada"]}
        born = (self.now - timedelta(days=22390)).date().isoformat()
        return _resource("Patient", "ada", identifier=[number], name=[name], gender="female", birthDate=born)

    # --- Statements ----------------------------------------------------------------------------------------------
    def hypertension(self) -> Resource:
        return self._condition("hypertension", "I10", clinicalStatus=self.status("condition-clinical", "active"))

    def refuted_diabetes(self) -> Resource:
        """R5 wants a clinicalStatus even here."""
        more = {"clinicalStatus": self.status("condition-clinical", "inactive")} if self.version is R5 else {}
        return self._condition("refuted", "E11.9", verification="refuted", **more)

    def _condition(self, key: str, code: str, *, verification: str = "confirmed", **more: Any) -> Resource:
        recorded = {"assertedDate" if self.version is STU3 else "recordedDate": self.day(2200)}
        return _resource(
            "Condition",
            key,
            verificationStatus=self.status("condition-ver-status", verification),
            code=_concept(ICD10CM, code),
            subject=ADA,
            **recorded,
            **more,
        )

    def visit(self) -> Resource:
        return self._encounter("visit", "AMB", "in-progress", {"start": self.time(0)})

    def stay(self) -> Resource:
        over = "completed" if self.version is R5 else "finished"
        return self._encounter("stay", "IMP", over, {"start": self.time(302), "end": self.time(298)})

    def _encounter(self, key: str, kind: str, status: str, period: Resource) -> Resource:
        act = {"system": self.system("v3-ActCode", "v3/ActCode"), "code": kind}
        r5 = {"class": [{"coding": [act]}], "actualPeriod": period}
        shape = r5 if self.version is R5 else {"class": act, "period": period}
        return _resource("Encounter", key, status=status, subject=ADA, **shape)

    def tablets(self) -> Resource:
        named = _concept(RXNORM, "314076", "lisinopril 10 MG Oral Tablet")
        shape = {"medication": {"concept": named}} if self.version is R5 else {"medicationCodeableConcept": named}
        return self._prescription("tablets", "active", 300, shape)

    def past_steroid(self) -> Resource:
        """The drug stands in a contained Medication."""
        inside = {"resourceType": "Medication", "id": "m", "code": _concept(RXNORM, "312615", "predniSONE 20 MG")}
        to = {"reference": "#m"}
        shape = {"medication": {"reference": to}} if self.version is R5 else {"medicationReference": to}
        ended = "ended" if self.version is R5 else "stopped"
        return self._prescription("steroid", ended, 900, {"contained": [inside], **shape})

    def _prescription(self, key: str, status: str, ago: int, shape: Resource) -> Resource:
        when = {"authoredOn": self.time(ago), "subject": ADA}
        return _resource("MedicationRequest", key, status=status, intent="order", **when, **shape)

    def endoscopy(self) -> Resource:
        done = "occurrenceDateTime" if self.version is R5 else "performedDateTime"
        code = _concept(SNOMED, "76009000")
        return _resource("Procedure", "endoscopy", status="completed", code=code, subject=ADA, **{done: self.time(700)})

    def lipid_panel_ordered(self) -> Resource:
        kind, status = ("ProcedureRequest", "suspended") if self.version is STU3 else ("ServiceRequest", "on-hold")
        panel = _concept(LOINC, "24331-1")
        code = {"concept": panel} if self.version is R5 else panel
        when = {"authoredOn": self.time(30), "subject": ADA}
        return _resource(kind, "lipids", status=status, intent="order", code=code, **when)

    # --- Observations --------------------------------------------------------------------------------------------
    def measured(self, key: str, code: str, value: float, unit: str, ago: int) -> Resource:
        return self._observation(key, code, ago, valueQuantity=_quantity(value, unit))

    def glucose(self, key: str, value: float, ago: int) -> Resource:
        return self._observation(f"glucose-{key}", "2345-7", ago, valueQuantity=_quantity(value, "mg/dL"))

    def pressure(self) -> Resource:
        parts = [
            {"code": _concept(LOINC, code), "valueQuantity": _quantity(value, "mm[Hg]")}
            for code, value in (("8480-6", 148), ("8462-4", 92))
        ]
        return self._observation("pressure", "85354-9", 40, component=parts)

    def _observation(self, key: str, code: str, ago: int, **more: Any) -> Resource:
        vital = key in _VITALS or key == "pressure"
        category = _concept(
            self.system("observation-category", "observation-category"), "vital-signs" if vital else "laboratory"
        )
        about = {"category": [category], "code": _concept(LOINC, code), "subject": ADA}
        return _resource("Observation", key, status="final", effectiveDateTime=self.time(ago), **about, **more)


def _resource(kind: str, key: str, **members: Any) -> Resource:
    return {"resourceType": kind, "id": key, **members}


def _concept(system: str, code: str, text: str = "") -> Resource:
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


def _quantity(value: float, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}

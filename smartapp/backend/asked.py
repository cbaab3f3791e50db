"""What POST /api/predict is asked, read into one patient's chart: a FHIR Bundle, or values with units.

Values become Observations first, so that the one reader judges codes, units and limits, whoever asks.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime

import msgspec
from msgspec import Struct

from cds.analytes import Analyte
from cds.dates import months_before
from cds.facts import FHIR_ID
from cds.facts import Issue as Doubt
from cds.fhir.decoding import UNREADABLE
from cds.fhir.files import Chart, charts_in
from cds.service import DecisionService
from smartapp.backend.refusals import Issue, Unusable

OLDEST_YEARS = 130


class Value(Struct, kw_only=True):
    """One measurement, by the name of the analyte. No date: today."""

    name: str
    value: float
    unit: str
    date: str = ""


class Patient(Struct, kw_only=True, rename="camel"):
    """`id`: as the EHR knows the patient, where it is one of its patients. `age` in whole years, without a birth date."""

    id: str = ""
    sex: str = ""
    birth_date: str = ""
    age: int | None = None


class Values(Struct, kw_only=True):
    """The body, where it is no Bundle. Unknown members are ignored."""

    patient: Patient = msgspec.field(default_factory=Patient)
    values: list[Value] = []


class _Kind(Struct, rename="camel"):
    resource_type: str = ""


class Asked(Struct, kw_only=True):
    """`places`: where each Observation that we made stands in what was sent; none for a Bundle."""

    chart: Chart
    named: bool
    places: dict[str, str] = {}

    def issue(self, doubt: Doubt) -> Issue:
        """What in the record could not be used, and where it stands."""
        return Issue("value", doubt.reason, self.places.get(doubt.source, doubt.source))


def read(content: bytes, service: DecisionService, *, now: datetime) -> Asked:
    """Unusable (400) for what is neither; it never repeats a value."""
    try:
        if msgspec.json.decode(content, type=_Kind).resource_type:
            return _bundle(content)
        return _values(msgspec.json.decode(content, type=Values), content, service, now=now)
    except msgspec.ValidationError as error:
        place = str(error).rpartition(" - at ")[2].strip("`") if " - at " in str(error) else "$"
        raise Unusable(Issue("structure", "the request has the wrong shape here", place)) from error
    except UNREADABLE as error:
        raise Unusable(Issue("structure", "the request is not JSON")) from error


def _bundle(content: bytes) -> Asked:
    found = list(charts_in(content))
    if len(found) != 1:
        raise Unusable(Issue("structure", "the Bundle must hold exactly one Patient with an id", "Bundle.entry"))
    _require_id(found[0].id, "Patient.id")
    return Asked(chart=found[0], named=True)


def _values(asked: Values, content: bytes, service: DecisionService, *, now: datetime) -> Asked:
    """Without an id the body itself names the patient: the same body gets the same answer."""
    patient_id = asked.patient.id or f"values-{hashlib.sha256(content).hexdigest()[:40]}"
    _require_id(patient_id, "$.patient.id")
    chart = Chart(id=patient_id, names={f"Patient/{patient_id}"}, resources={})
    chart.resources["Patient"] = [msgspec.json.encode(_person(asked.patient, patient_id, now.date()))]
    known = {analyte.key: analyte for need in service.needs for analyte in need.analytes}
    wrong = [number for number, value in enumerate(asked.values) if value.name not in known]
    if wrong:
        text = f"not one of {', '.join(sorted(known))}"
        raise Unusable(*(Issue("code-invalid", text, f"$.values[{number}].name") for number in wrong))
    measured = [
        _observation(number, value, known[value.name], patient_id, now) for number, value in enumerate(asked.values)
    ]
    chart.resources["Observation"] = [msgspec.json.encode(one) for one in measured]
    places = {f"Observation/value-{number}": f"$.values[{number}]" for number in range(len(measured))}
    return Asked(chart=chart, named=bool(asked.patient.id), places=places)


def _require_id(patient_id: str, place: str) -> None:
    if not re.fullmatch(FHIR_ID, patient_id):
        raise Unusable(Issue("value", "not a FHIR id (letters, digits, '-' and '.', at most 64)", place))


def _person(patient: Patient, patient_id: str, today: date) -> dict[str, str]:
    born = patient.birth_date
    if not born and patient.age is not None:
        if not 0 <= patient.age <= OLDEST_YEARS:
            raise Unusable(Issue("value", f"not an age of 0 to {OLDEST_YEARS} years", "$.patient.age"))
        born = months_before(today, 12 * patient.age).isoformat()
    return {"resourceType": "Patient", "id": patient_id, "gender": patient.sex, "birthDate": born}


def _observation(number: int, value: Value, analyte: Analyte, patient_id: str, now: datetime) -> dict[str, object]:
    code = min(analyte.codes)
    return {
        "resourceType": "Observation",
        "id": f"value-{number}",
        "status": "final",
        "code": {"coding": [{"system": code.system, "code": code.code}]},
        "subject": {"reference": f"Patient/{patient_id}"},
        "effectiveDateTime": value.date or now.date().isoformat(),
        "valueQuantity": {"value": value.value, "unit": value.unit},
    }

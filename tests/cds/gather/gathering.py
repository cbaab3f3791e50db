"""A question, a hospital that answers it over HTTP, and what its record has of patient 123."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from cds import analytes
from cds.codes import ICD10CM, LOINC, UCUM
from cds.context import PatientContext
from cds.errors import MissingData
from cds.fhir.client import FhirServer
from cds.fhir.searches import Announced
from cds.gather import gather
from cds.needs import Need
from cds.service import DecisionService

NOW = datetime(2026, 3, 31, 16, 30, tzinfo=ZoneInfo("Pacific/Auckland"))


class Question(DecisionService):
    """Asks for little, so that a test can hold all of it."""

    id = "question"
    needs = (
        Need.patient(),
        Need.resources("conditions", "Condition", required=True),
        Need.observations("hba1c", analytes.HBA1C, category="laboratory", required=True),
        Need.observations("glucose", analytes.GLUCOSE, category="laboratory"),
        Need.resources("medications", "MedicationRequest"),
    )


# --- A hospital over HTTP
class Hospital:
    """A FHIR server on the loopback: answers by path, and remembers what it was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {}
        self.batch_status = 200
        self.asked: list[str] = []
        self.queries: list[str] = []
        self.announced = Announced(batch=True)
        self.base = ""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path = environ["PATH_INFO"].removeprefix("/fhir").strip("/")
        query = environ["QUERY_STRING"]
        self.asked.append(f"{environ['REQUEST_METHOD']} {path}")
        self.queries.append(query)
        if environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            answer: Any = self.batch(body) if self.batch_status == 200 else {}
            status = self.batch_status
        else:
            status, answer = self.get(f"{path}?{query}" if query else path)
        start_response(f"{status} Said", [("Content-Type", "application/fhir+json")])
        return [answer if isinstance(answer, bytes) else msgspec.json.encode(answer)]

    def get(self, url: str) -> tuple[int, Any]:
        found = self.pages.get(url.partition("?")[0] if "page=" not in url else url)
        if isinstance(found, dict) and "Observation" in url and "page=" not in url:
            found = found.get("hba1c" if "4548-4" in url else "glucose")
        return (404, {"resourceType": "OperationOutcome"}) if found is None else (200, found)

    def batch(self, body: bytes) -> dict[str, Any]:
        entries = []
        for entry in msgspec.json.decode(body)["entry"]:
            status, answer = self.get(entry["request"]["url"])
            entries.append({"response": {"status": f"{status} Said"}, "resource": answer})
        return {"resourceType": "Bundle", "type": "batch-response", "entry": entries}


# --- Resources
PATIENT = {"resourceType": "Patient", "id": "123", "gender": "female", "birthDate": "1974-01-15"}
DIABETES = {
    "resourceType": "Condition",
    "id": "c1",
    "subject": {"reference": "Patient/123"},
    "code": {"coding": [{"system": ICD10CM, "code": "E11.9"}]},
}


def bundle(*resources: Any, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": item} for item in resources], **more}


def hba1c(name: str | None = "o1", *, at: str = "2025-03-01", value: Any = 6.1, patient: str = "123") -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "4548-4"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": at,
        "valueQuantity": {"value": value, "unit": "%", "system": UCUM, "code": "%"},
    }


def next_page(url: str) -> dict[str, Any]:
    return {"link": [{"relation": "next", "url": url}]}


def prefetch(**given: Any) -> dict[str, msgspec.Raw | None]:
    whole: dict[str, Any] = {"patient": PATIENT, "conditions": bundle(), "hba1c": bundle(), "glucose": None} | given
    whole.setdefault("medications", None)
    sent = {key: value for key, value in whole.items() if value is not ...}
    return {key: None if value is None else msgspec.Raw(msgspec.json.encode(value)) for key, value in sent.items()}


def ask(client: Any = None, **given: Any) -> PatientContext:
    return gather(Question(), patient_id="123", now=NOW, client=client, prefetch=prefetch(**given))


def fetched(client: FhirServer) -> PatientContext:
    return gather(Question(), patient_id="123", now=NOW, client=client)


def lacking(call: Callable[[], Any]) -> tuple[str, ...]:
    with pytest.raises(MissingData) as missing:
        call()
    assert missing.value.status == 412
    return missing.value.keys

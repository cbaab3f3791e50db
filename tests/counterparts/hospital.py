"""What the EHR's own programs do at the hospital of published parts: open a chart, fire a hook, read the chart."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

import requests
from django.conf import settings
from joserfc import jwt
from joserfc.jwk import ECKey

SCOPES = ["patient/*.rs"] + [
    f"patient/{kind}.{letters}"
    for kind in (
        "AllergyIntolerance CarePlan Condition Coverage Device DiagnosticReport DocumentReference "
        "Encounter FamilyMemberHistory Immunization "
        "MedicationRequest MedicationStatement Observation Patient Procedure Provenance RiskAssessment ServiceRequest"
    ).split()
    for letters in ("r", "rs", "c", "cr", "crs")
]
PICKED = "farah"  # in a standalone launch
SECONDS = 30


@dataclass(frozen=True)
class Hospital:
    """The running counterparts: where they are, and the key that vouches for their hooks."""

    url: str
    hook_key: ECKey

    def open_chart(self, patient: str, **context: Any) -> str:
        """The ticket of an EHR launch."""
        answer = requests.post(f"{self.url}/ehr/launches", json={"patient": patient, **context}, timeout=SECONDS)
        return str(answer.json()["launch"])

    def token(self, scope: str = "patient/*.rs") -> str:
        """An access token as a hook carries it."""
        answer = requests.post(f"{self.url}/ehr/hook-tokens", json={"scope": scope}, timeout=SECONDS)
        return str(answer.json()["access_token"])

    def takes(self, token: str) -> bool:
        """Does the FHIR server still take this token?"""
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.get(f"{self.url}/fhir/Patient/ada", headers=headers, timeout=SECONDS)
        assert answer.status_code in {200, 401}, answer.text
        return answer.status_code == 200

    def read(self, query: str) -> list[dict[str, Any]]:
        """The resources that a search of the chart finds."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        answer = requests.get(f"{self.url}/fhir/{query}", headers=headers, timeout=SECONDS)
        assert answer.status_code == 200, answer.text
        return [entry["resource"] for entry in answer.json().get("entry", [])]

    def call_hook(
        self, patient: str, service: str = "diabetes-risk", *, scope: str = "patient/*.rs", token: str = ""
    ) -> requests.Response:
        """patient-view without any prefetch: the service must fetch for itself."""
        url = f"{settings.BASE_URL}/cds-services/{service}"
        body = {
            "hook": "patient-view",
            "hookInstance": str(uuid.uuid4()),
            "context": {"userId": "Practitioner/dr-okafor", "patientId": patient},
            "fhirServer": f"{self.url}/fhir",
            "fhirAuthorization": {
                "access_token": token or self.token(scope),
                "token_type": "Bearer",
                "expires_in": 60,
                "scope": scope,
                "subject": "bedside",
                "patient": patient,
            },
        }
        headers = {"Authorization": f"Bearer {self._signed(url)}"}
        return requests.post(url, json=body, headers=headers, timeout=SECONDS)

    def _signed(self, audience: str) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": audience, "iat": now, "exp": now + 300, "jti": str(uuid.uuid4())}
        header = {"alg": "ES384", "kid": str(self.hook_key.kid), "typ": "JWT", "jku": f"{self.url}/jwks"}
        return jwt.encode(header, claims, self.hook_key, algorithms=["ES384"])

"""What goes wrong in a FHIR interaction: an HTTP status and an OperationOutcome (R4 3.1.0.6)."""

from __future__ import annotations

from typing import Any

Resource = dict[str, Any]


class FhirError(Exception):
    """Refuses an interaction; `code` is from the FHIR issue-type value set."""

    def __init__(self, status: int, code: str, *diagnostics: str) -> None:
        super().__init__("; ".join(diagnostics))
        self.status = status
        self.code = code
        self.diagnostics = diagnostics

    def outcome(self) -> Resource:
        issues = [{"severity": "error", "code": self.code, "diagnostics": text} for text in self.diagnostics]
        return {"resourceType": "OperationOutcome", "issue": issues}

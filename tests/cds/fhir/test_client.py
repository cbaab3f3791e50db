"""What a refusal says: whether to try again, when, and why, but never in the server's own words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from cds.errors import FhirError, FhirInvalid
from cds.fhir.client import seconds_in
from tests.cds.writeback.conftest import Ada, ada
from tests.strange_ehr import Fault

__all__ = ["ada"]


@pytest.mark.parametrize(("said", "seconds"), [("120", 120), ("0", 0), ("", None), ("soon", None), ("9" * 400, None)])
def test_retry_after_is_read_as_seconds(said: str, seconds: float | None) -> None:
    assert seconds_in(said) == seconds


def test_retry_after_is_read_as_a_date() -> None:
    later = datetime.now(UTC) + timedelta(minutes=2)
    assert seconds_in(format_datetime(later, usegmt=True)) == pytest.approx(120, abs=2)
    assert seconds_in(format_datetime(later - timedelta(hours=1), usegmt=True)) == 0


def refused(ada: Ada, **fault: object) -> FhirError:
    ada.server.faults.append(Fault(method="GET", path="Patient/ada", **fault))  # type: ignore[arg-type]
    with pytest.raises(FhirError) as caught:
        ada.client.get("Patient/ada")
    return caught.value


def test_the_reason_is_the_code_of_the_first_error(ada: Ada) -> None:
    issues = b'[{"severity": "warning", "code": "informational"}, {"severity": "error", "code": "throttled"}]'
    body = b'{"resourceType": "OperationOutcome", "issue": ' + issues + b"}"
    error = refused(ada, status=429, body=body, headers={"Retry-After": "7"})
    assert (error.issue, error.retry_after, error.retry) == ("throttled", 7, True)


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"issue": [{"severity": "error", "code": "Ada Lindqvist"}]}', b"\xff"]
)
def test_what_is_no_code_is_not_repeated(ada: Ada, body: bytes) -> None:
    assert refused(ada, status=400, body=body).issue == ""


def test_a_scope_that_is_lacking_is_named_by_the_header(ada: Ada) -> None:
    header = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="patient/Patient.r"'}
    assert refused(ada, status=403, headers=header).issue == "insufficient_scope"


def test_an_answer_that_is_not_json_is_not_taken_for_a_resource(ada: Ada) -> None:
    ada.server.faults.append(Fault(method="GET", path="Patient/ada", status=200, body=b"<html>"))
    with pytest.raises(FhirInvalid, match="not JSON"):
        ada.client.request_json("Patient/ada")

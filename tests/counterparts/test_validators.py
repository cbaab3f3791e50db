"""What we write, before two FHIR validators that nobody here wrote: `@medplum/core` and `fhir`. Both know R4 alone."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cds.fallbacks import as_diagnostic_report, as_document
from cds.fhir.amend import Deed, Mark, marked, revision
from cds.fhir.audit_event import Noted, audit_event
from cds.fhir.subscription import by_search, by_topic
from cds.fhir.transaction import WITH_CARD, by_itself, transaction
from cds.fhir.versions import Version
from cds.fhir.write import conclusion
from cds.models import PopulationResult, PopulationRun
from cds.population.publish import as_group, as_list
from cds.records import Charted, ConclusionRecord
from tests.cds.fhir.test_amend import NOTE, charted
from tests.cds.fhir.test_write import risk_assessment, written
from tests.cds.saved import AT, OBSERVATION, REPORT, RISK, essential

SECONDS = 60
BOTH = ("medplum", "fhir")
Findings = list[dict[str, str]]


@pytest.fixture(scope="session")
def validate(parts: Path) -> Any:
    def findings(*resources: dict[str, Any]) -> list[dict[str, Findings]]:
        command = ["node", str(parts / "validate.mjs")]
        done = subprocess.run(
            command, input=json.dumps(resources), capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert done.returncode == 0, done.stderr[-1000:]
        found: list[dict[str, Findings]] = json.loads(done.stdout)
        assert len(found) == len(resources)
        return found

    return findings


def errors(found: dict[str, Findings], validator: str) -> list[str]:
    return [one["text"] for one in found[validator] if one["severity"] in {"error", "fatal"}]


def all_that_is_written() -> list[dict[str, Any]]:
    """Each resource by itself, and both forms of the Bundle with everything in it."""
    records: list[Charted] = [RISK, OBSERVATION, as_diagnostic_report(REPORT, OBSERVATION)]
    records.append(as_document(REPORT, OBSERVATION))
    whole = transaction(records, fhir_user="Practitioner/p", confirmed_at=AT, beside=WITH_CARD)
    return [*written(), *(entry["resource"] for entry in whole["entry"]), whole, essential(records)]


def all_that_is_changed() -> list[dict[str, Any]]:
    """Each result in each way that it may be marked, and the Provenance of it."""
    results = [marked(one, mark, NOTE, version=Version.R4) for mark in Mark for one in charted(Version.R4)]
    changed, later = ("RiskAssessment/1/_history/1",), ("RiskAssessment/2",)
    deeds = [Deed(mark=mark, at=AT, who="Device/d", changed=changed, because_of=later) for mark in Mark]
    return [*results, *(revision(["RiskAssessment/1"], deed) for deed in deeds)]


def all_else_that_is_sent() -> list[dict[str, Any]]:
    """To be told of results, what an EHR files from a hook's answer, worklists that it is handed, the audit trail."""
    address, secret = "https://bedside.example.org/subscriptions/token", "Authorization: Bearer secret"
    about = "Observation?code=http://loinc.org|4548-4"
    ask = partial(by_topic, topic="https://ehr.example.org/topics/result", criteria=about)
    rows = [PopulationResult(patient_id=b"ada")]
    worklists = [form(some, PopulationRun(), name="To be seen") for form in (as_group, as_list) for some in (rows, [])]
    noted = [
        Noted(number=1, action=action, recorded_at=AT, actor="a", observer="https://b.example", patient_key="k")
        for action in ("hook", "view", "write-back", "launch", "refusal", "batch-read", "configure", "purge", "retract")
    ]
    return [
        by_search(criteria=about, endpoint=address, header=secret, until=AT),
        *(ask(endpoint=address, header=secret, until=AT, heartbeat=seconds) for seconds in (60, None)),
        *(by_itself(record) for record in (RISK, OBSERVATION)),
        *worklists,
        *map(audit_event, noted),
    ]


def test_neither_finds_an_error_in_anything_that_we_write(validate: Any) -> None:
    resources = [*all_that_is_written(), *all_that_is_changed(), *all_else_that_is_sent()]
    assert {one["resourceType"] for one in resources} == {
        *("AuditEvent", "Bundle", "Device", "DiagnosticReport", "DocumentReference", "Group", "List", "Observation"),
        *("Provenance", "RiskAssessment", "ServiceRequest", "Subscription"),
    }
    for resource, found in zip(resources, validate(*resources), strict=True):
        for validator in BOTH:
            assert errors(found, validator) == [], f"{validator} on {resource['resourceType']}"


def test_both_would_find_a_missing_subject_and_a_member_that_r4_has_not(validate: Any) -> None:
    """What the silence of the test above is worth."""
    broken = {name: value for name, value in risk_assessment().items() if name != "subject"} | {"invented": 1}
    (found,) = validate(broken)
    for validator in BOTH:
        text = " ".join(errors(found, validator))
        assert "subject" in text
        assert "invented" in text


def test_only_one_knows_the_codes_and_only_the_other_the_rules(validate: Any) -> None:
    """docs/conformance.md lists what each cannot check."""
    prediction = risk_assessment()["prediction"][0]
    beyond = risk_assessment() | {"prediction": [prediction | {"probabilityDecimal": 118.4}]}
    by_code, by_rule = validate(risk_assessment() | {"status": "invented"}, beyond)
    assert not errors(by_code, "medplum")
    assert "status" in errors(by_code, "fhir")[0]
    assert "ras-2" in errors(by_rule, "medplum")[0]
    assert not errors(by_rule, "fhir")


def test_medplum_wrongly_refuses_a_risk_that_is_given_in_words_alone(validate: Any) -> None:
    """ras-2 is about a probability that is there. If this fails, Medplum has mended it: then say so in the document."""
    in_words = ConclusionRecord(
        identifier=RISK.identifier,
        patient_id=RISK.patient_id,
        at=AT,
        outcome_text="Metformin at this kidney function",
        algorithm=RISK.algorithm,
        basis=RISK.basis,
        rationale="eGFR 28 mL/min/1.73 m2",
    )
    (found,) = validate(conclusion(in_words, device="Device/d"))
    assert "ras-2" in errors(found, "medplum")[0]
    assert not errors(found, "fhir")

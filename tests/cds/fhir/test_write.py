"""Records as FHIR R4 resources."""

from __future__ import annotations

import subprocess
import sys
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from cds.codes import FASTING_GLUCOSE_ORDER, HBA1C_ORDER, Code
from cds.errors import FhirInvalid
from cds.fhir import write
from cds.records import OrderRecord
from tests.cds.saved import ALGORITHM, AT, OBSERVATION, RISK

NEVER = ("94560-0", "8302-2", "44054006")  # a score, body height, the disease itself


def order(code: Code = HBA1C_ORDER) -> OrderRecord:
    return OrderRecord(code=code, display="Hemoglobin A1c", patient_id="ada", reason="No HbA1c on record.")


def risk_assessment() -> dict[str, Any]:
    return write.risk_assessment(RISK, device="Device/d", basis=["Observation/ours"])


def observation() -> dict[str, Any]:
    return write.observation(OBSERVATION, device="Device/d")


def provenance(fhir_user: str) -> dict[str, Any]:
    return write.provenance(
        [OBSERVATION, RISK],
        targets=["RiskAssessment/r"],
        device="Device/d",
        fhir_user=fhir_user,
        confirmed_at=AT,
    )


def written() -> list[dict[str, Any]]:
    return [risk_assessment(), observation(), write.device(ALGORITHM), provenance("Practitioner/p")]


@pytest.mark.parametrize("code", [HBA1C_ORDER, FASTING_GLUCOSE_ORDER])
def test_an_order_is_a_valid_draft_that_proposes_one_laboratory_test(code: Code) -> None:
    draft = write.require_valid(write.order_as_fhir(order(code)))
    assert (draft["status"], draft["intent"]) == ("draft", "proposal")
    assert draft["code"]["coding"] == [{"system": code.system, "code": code.code, "display": "Hemoglobin A1c"}]
    assert draft["subject"] == {"reference": "Patient/ada"}


def test_an_order_is_written_without_importing_the_models_which_a_hook_cannot_wait_for() -> None:
    script = (
        "import sys; from cds.fhir.write import order_as_fhir; from tests.cds.fhir.test_write import order;"
        "order_as_fhir(order()); sys.exit('fhir.resources' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("resource", written(), ids=lambda resource: str(resource["resourceType"]))
def test_what_is_written_is_valid_r4(resource: dict[str, Any]) -> None:
    assert write.require_valid(resource) is resource


def test_a_probability_is_written_as_a_percentage_and_not_as_a_fraction() -> None:
    assert risk_assessment()["prediction"][0]["probabilityDecimal"] == 18.4
    assert write.as_percent(1.0) == 100.0


def test_the_observation_says_the_same_percentage_with_its_ucum_unit() -> None:
    assert observation()["valueQuantity"] == {
        "value": risk_assessment()["prediction"][0]["probabilityDecimal"],
        "unit": "%",
        "system": "http://unitsofmeasure.org",
        "code": "%",
    }


def test_present_disease_begins_and_ends_with_the_assessment() -> None:
    found = risk_assessment()
    when = found["prediction"][0]["whenPeriod"]
    assert when["start"] == when["end"] == found["occurrenceDateTime"] == "2026-03-01T09:30:15.000+05:30"


def test_the_assessment_rests_on_its_observation_and_on_what_the_model_saw() -> None:
    assert [one["reference"] for one in risk_assessment()["basis"]] == ["Observation/ours", "Observation/ada-glucose"]


def test_an_observation_is_derived_only_from_what_r4_allows() -> None:
    record = msgspec.structs.replace(OBSERVATION, derived_from=("Observation/a", "Condition/b"))
    assert write.observation(record, device="Device/d")["derivedFrom"] == [{"reference": "Observation/a"}]


def test_results_carry_the_label_that_artificial_intelligence_asserted_them() -> None:
    for resource in (risk_assessment(), observation()):
        assert [label["code"] for label in resource["meta"]["security"]] == ["AIAST"]


def test_no_code_that_asserts_the_disease_or_measures_something_else_is_written() -> None:
    text = msgspec.json.encode([*written(), write.order_as_fhir(order())]).decode()
    assert not [code for code in NEVER if code in text]


def test_text_of_the_record_never_becomes_markup() -> None:
    div = ET.fromstring(observation()["text"]["div"])
    assert "".join(div.itertext()).endswith(OBSERVATION.note)


def test_what_is_empty_is_left_out() -> None:
    bare = msgspec.structs.replace(OBSERVATION, derived_from=(), note="")
    assert not {"derivedFrom", "note"} & set(write.observation(bare, device="Device/d"))


@pytest.mark.parametrize("user", ["Practitioner/p", "https://ehr.example/fhir/PractitionerRole/7"])
def test_the_clinician_who_confirmed_is_the_verifier(user: str) -> None:
    assert [agent["who"]["reference"] for agent in provenance(user)["agent"]] == ["Device/d", user]


@pytest.mark.parametrize("user", ["", "admin", "Device/9", "Practitioner/a b"])
def test_a_user_who_is_no_person_in_the_chart_is_no_verifier(user: str) -> None:
    assert len(provenance(user)["agent"]) == 1


def test_a_broken_rule_names_the_element_and_never_its_value() -> None:
    with pytest.raises(FhirInvalid, match=r"prediction\.0\.probabilityDecimal") as caught:
        write.require_valid(risk_assessment() | {"prediction": [{"probabilityDecimal": "very secret"}]})
    assert "secret" not in str(caught.value)

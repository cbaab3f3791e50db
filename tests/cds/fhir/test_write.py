"""Records as FHIR resources, built as R4 and valid in every version."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from cds.codes import FASTING_GLUCOSE_ORDER, HBA1C_ORDER, Code
from cds.errors import FhirInvalid
from cds.fallbacks import as_diagnostic_report, as_document
from cds.fhir import write
from cds.fhir.transparency import Signature, device, model_card, provenance
from cds.fhir.versions import Version
from cds.records import OrderRecord
from tests.cds.saved import ALGORITHM, AT, OBSERVATION, REPORT, RISK

NEVER = ("94560-0", "8302-2", "44054006")  # a score, body height, the disease itself


def order(code: Code = HBA1C_ORDER) -> OrderRecord:
    return OrderRecord(code=code, display="Hemoglobin A1c", patient_id="ada", reason="No HbA1c on record.")


def risk_assessment() -> dict[str, Any]:
    return write.risk_assessment(RISK, device="Device/d", basis=["Observation/ours"])


def observation() -> dict[str, Any]:
    return write.observation(OBSERVATION, device="Device/d")


def signed(fhir_user: str) -> dict[str, Any]:
    signature = Signature(device="Device/d", fhir_user=fhir_user, confirmed_at=AT, card="DocumentReference/m")
    return provenance([OBSERVATION, RISK], targets=["RiskAssessment/r"], signature=signature)


def report() -> dict[str, Any]:
    return write.diagnostic_report(as_diagnostic_report(REPORT, OBSERVATION), result=["Observation/ours"])


def document(**more: Any) -> dict[str, Any]:
    return write.document_reference(as_document(REPORT, OBSERVATION, **more), device="Device/d")


def results() -> list[dict[str, Any]]:
    return [risk_assessment(), observation(), report(), document()]


def written() -> list[dict[str, Any]]:
    about = [device(ALGORITHM, card="DocumentReference/m"), model_card(ALGORITHM, at=AT), signed("Practitioner/p")]
    return [*results(), *about, write.order_as_fhir(order())]


@pytest.mark.parametrize("code", [HBA1C_ORDER, FASTING_GLUCOSE_ORDER])
def test_an_order_is_a_valid_draft_that_proposes_one_laboratory_test(code: Code) -> None:
    draft = write.require_valid(write.order_as_fhir(order(code)))
    assert (draft["status"], draft["intent"]) == ("draft", "proposal")
    assert draft["code"]["coding"] == [{"system": code.system, "code": code.code, "display": "Hemoglobin A1c"}]
    assert draft["subject"] == {"reference": "Patient/ada"}


def test_an_order_that_no_laboratory_does_is_of_no_category() -> None:
    draft = write.require_valid(write.order_as_fhir(msgspec.structs.replace(order(), category=None)))
    assert "category" not in draft
    assert write.order_as_fhir(order())["category"][0]["coding"][0]["code"] == "108252007"


def test_an_order_is_written_without_importing_the_models_which_a_hook_cannot_wait_for() -> None:
    script = (
        "import sys; from cds.fhir.write import order_as_fhir; from tests.cds.fhir.test_write import order;"
        "order_as_fhir(order()); sys.exit('fhir.resources' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("resource", written(), ids=lambda resource: str(resource["resourceType"]))
def test_what_is_written_is_valid_in_the_version_of_the_ehr(resource: dict[str, Any], version: Version) -> None:
    assert write.require_valid(version.writes(resource), version)


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
    for resource in results():
        assert [label["code"] for label in resource["meta"]["security"]] == ["AIAST"]


def test_no_code_that_asserts_the_disease_or_measures_something_else_is_written() -> None:
    text = msgspec.json.encode(written()).decode()
    assert not [code for code in NEVER if code in text]


def test_text_of_the_record_never_becomes_markup() -> None:
    div = ET.fromstring(observation()["text"]["div"])
    assert "".join(div.itertext()).endswith(OBSERVATION.note)


@pytest.mark.parametrize("resource", written(), ids=lambda resource: str(resource["resourceType"]))
def test_everything_but_an_order_says_itself_in_xhtml(resource: dict[str, Any]) -> None:
    assert resource["resourceType"] == "ServiceRequest" or ET.fromstring(resource["text"]["div"]).itertext()


def test_what_xhtml_cannot_hold_is_left_out() -> None:
    record = msgspec.structs.replace(OBSERVATION, note="a\x00\x0b\ufffeb")
    div = ET.fromstring(write.observation(record, device="Device/d")["text"]["div"])
    assert "".join(div.itertext()).endswith("ab")


def test_a_diagnostic_report_concludes_and_points_to_its_observation() -> None:
    found = report()
    assert (found["conclusion"], found["result"]) == (REPORT.conclusion, [{"reference": "Observation/ours"}])
    assert found["code"]["coding"][0]["code"] == "71482-4"


def test_a_document_carries_its_content_with_type_size_and_hash() -> None:
    pdf = b"%PDF-1.7 not really"
    _, content = document(page=pdf)["content"]
    attached = content["attachment"]
    assert base64.b64decode(attached["data"]) == pdf
    assert (attached["contentType"], attached["size"]) == ("application/pdf", len(pdf))
    assert base64.b64decode(attached["hash"]) == hashlib.sha1(pdf).digest()


def test_without_a_pdf_the_document_is_the_report_in_plain_text() -> None:
    (content,) = document()["content"]
    text = base64.b64decode(content["attachment"]["data"]).decode()
    assert content["attachment"]["contentType"].startswith("text/plain")
    for said in (
        REPORT.title,
        REPORT.conclusion,
        "18.4\N{NO-BREAK SPACE}%",
        "Glucose: 121.3",
        "no diagnosis",
    ):
        assert said in text


def test_what_is_empty_is_left_out() -> None:
    bare = msgspec.structs.replace(OBSERVATION, derived_from=(), note="")
    assert not {"derivedFrom", "note"} & set(write.observation(bare, device="Device/d"))


@pytest.mark.parametrize("user", ["Practitioner/p", "https://ehr.example/fhir/PractitionerRole/7"])
def test_the_clinician_who_confirmed_is_the_verifier(user: str) -> None:
    assert [agent["who"]["reference"] for agent in signed(user)["agent"]] == ["Device/d", user]


@pytest.mark.parametrize("user", ["", "admin", "Device/9", "Practitioner/a b"])
def test_a_user_who_is_no_person_in_the_chart_is_no_verifier(user: str) -> None:
    assert len(signed(user)["agent"]) == 1


def test_a_broken_rule_names_the_element_and_never_its_value() -> None:
    with pytest.raises(FhirInvalid, match=r"prediction\.0\.probabilityDecimal") as caught:
        write.require_valid(risk_assessment() | {"prediction": [{"probabilityDecimal": "very secret"}]})
    assert "secret" not in str(caught.value)

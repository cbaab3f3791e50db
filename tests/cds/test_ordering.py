"""The orders that a hook carries: drafts that lack this and that, but never somebody else's."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from cds.codes import RXNORM, Code
from cds.context import Ordering, PatientContext
from cds.errors import BadInput
from cds.facts import Person
from cds.ordering import with_orders

CONTEXT = PatientContext(
    patient=Person(id="123"), now=datetime(2026, 3, 31, 16, 30, tzinfo=ZoneInfo("Pacific/Auckland"))
)
METFORMIN = {"coding": [{"system": RXNORM, "code": "6809"}], "text": "Metformin"}


def prescription(**more: Any) -> dict[str, Any]:
    found = {
        "resourceType": "MedicationRequest",
        "id": "d1",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/123"},
        "medicationCodeableConcept": METFORMIN,
    }
    return {name: value for name, value in {**found, **more}.items() if value is not None}


def read(*resources: Any, selected: tuple[str, ...] = ()) -> PatientContext:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": resource} for resource in resources]}
    return with_orders(CONTEXT, msgspec.Raw(msgspec.json.encode(bundle)), selected=selected)


def ordering(*resources: Any, selected: tuple[str, ...] = ()) -> Ordering:
    found = read(*resources, selected=selected).ordering
    assert found is not None
    return found


def reasons(context: PatientContext) -> list[str]:
    return [issue.reason for issue in context.issues]


def test_drugs_and_tests_are_told_apart() -> None:
    found = ordering(prescription(), {"resourceType": "ServiceRequest", "id": "s1", "code": {"text": "HbA1c"}})
    assert [drug.codes for drug in found.drugs] == [{Code(RXNORM, "6809")}]
    assert [order.text for order in found.orders] == ["HbA1c"]


def test_an_empty_session_is_not_the_same_as_none() -> None:
    assert CONTEXT.ordering is None
    assert read().ordering == Ordering()


def test_other_kinds_of_order_are_let_pass() -> None:
    context = read({"resourceType": "NutritionOrder", "id": 7, "oralDiet": {"type": []}}, None, prescription())
    assert len(context.ordering.drugs) == 1  # type: ignore[union-attr]
    assert reasons(context) == []


@pytest.mark.parametrize("lacking", ["id", "subject", "status", "intent"])
def test_a_draft_may_lack_what_an_order_must_have(lacking: str) -> None:
    assert [drug.text for drug in ordering(prescription(**{lacking: None})).drugs] == ["Metformin"]


@pytest.mark.parametrize("other", ["Patient/124", "https://ehr.example/fhir/Patient/124"])
def test_the_draft_of_another_patient_is_refused_and_said(other: str) -> None:
    context = read(prescription(subject={"reference": other}))
    assert context.ordering == Ordering(unread=1)
    assert reasons(context) == ["belongs to another patient"]


def test_a_request_not_to_give_a_drug_is_no_prescription() -> None:
    assert ordering(prescription(doNotPerform=True)).drugs == ()


def test_a_draft_entered_in_error_is_none() -> None:
    assert ordering(prescription(status="entered-in-error")).drugs == ()


def test_a_medication_in_the_same_bundle_is_found() -> None:
    referring = prescription(medicationCodeableConcept=None, medicationReference={"reference": "Medication/m"})
    found = ordering(referring, {"resourceType": "Medication", "id": "m", "code": METFORMIN})
    assert [drug.text for drug in found.drugs] == ["Metformin"]


def test_a_medication_of_which_only_the_name_is_there_has_its_name() -> None:
    named = {"reference": "Medication/elsewhere", "display": "Janumet 50/1000"}
    found = ordering(prescription(medicationCodeableConcept=None, medicationReference=named))
    assert [drug.text for drug in found.drugs] == ["Janumet 50/1000"]


def test_a_draft_that_does_not_say_what_it_is_is_said() -> None:
    assert reasons(read(prescription(medicationCodeableConcept=None))) == [
        "neither code nor text says what it is",
    ]


def test_a_draft_of_the_wrong_shape_is_said_and_the_others_are_read() -> None:
    context = read(prescription(id=7), prescription())
    assert len(context.ordering.drugs) == 1  # type: ignore[union-attr]
    assert "not readable" in reasons(context)[0]


@pytest.mark.parametrize("raw", [b"{}", b'{"resourceType":"Patient"}', b'{"resourceType":"Bundle","entry":7}', b"[]"])
def test_what_is_no_bundle_is_refused(raw: bytes) -> None:
    with pytest.raises(BadInput, match="not a Bundle"):
        with_orders(CONTEXT, msgspec.Raw(raw))


def test_only_what_was_selected_is_chosen() -> None:
    both = (prescription(), prescription(id="d2"))
    assert [drug.source for drug in ordering(*both, selected=("MedicationRequest/d2",)).chosen_drugs] == [
        "MedicationRequest/d2"
    ]
    assert len(ordering(*both).chosen_drugs) == 2


def test_a_draft_without_an_id_counts_as_chosen() -> None:
    blood_test = {"resourceType": "ServiceRequest", "id": "s1", "code": {"text": "HbA1c"}}
    found = ordering(prescription(id=None), prescription(id="d2"), blood_test, selected=("ServiceRequest/s1",))
    assert [drug.source for drug in found.chosen_drugs] == [""]


@pytest.mark.parametrize(
    "reference",
    ["https://ehr.example/fhir/MedicationRequest/d2", "MedicationRequest/d2/_history/1", "MedicationRequest/d2"],
)
def test_a_selection_may_be_absolute_or_versioned(reference: str) -> None:
    found = ordering(prescription(), prescription(id="d2"), selected=(reference,))
    assert [drug.source for drug in found.chosen_drugs] == ["MedicationRequest/d2"]


@pytest.mark.parametrize("selected", [("d2",), ("MedicationRequest/9",), ("MedicationRequest/d1", "urn:uuid:9")])
def test_a_selection_that_names_no_draft_may_mean_any(selected: tuple[str, ...]) -> None:
    assert len(ordering(prescription(), prescription(id="d2"), selected=selected).chosen_drugs) == 2


@pytest.mark.parametrize("status", ["stopped", "cancelled", "completed"])
def test_a_draft_that_starts_nothing_is_no_prescription(status: str) -> None:
    assert ordering(prescription(status=status)) == Ordering()


@pytest.mark.parametrize("wrong", [{}, {"id": 7}, {"code": 7}, {"subject": {"reference": "Patient/124"}}])
def test_an_order_that_cannot_be_read_is_said_but_is_no_prescription(wrong: dict[str, Any]) -> None:
    context = read({"resourceType": "ServiceRequest", "id": "s1", **wrong})
    assert context.ordering.unread == 0  # type: ignore[union-attr]
    assert [issue.need for issue in context.issues] == ["orders"]


@pytest.mark.parametrize("wrong", [7, {"id": "d1"}, {"resourceType": 7}])
def test_what_does_not_say_its_type_may_be_a_prescription(wrong: Any) -> None:
    assert ordering(wrong).unread == 1


def test_the_fingerprint_covers_what_is_ordered_and_chosen() -> None:
    prints = {
        CONTEXT.fingerprint(),
        read().fingerprint(),
        read(prescription()).fingerprint(),
        read(prescription(), selected=("MedicationRequest/d1",)).fingerprint(),
    }
    assert len(prints) == 4


def test_the_snapshot_keeps_it() -> None:
    context = read(prescription(), selected=("MedicationRequest/d1",))
    assert PatientContext.from_json(context.as_json()).ordering == context.ordering

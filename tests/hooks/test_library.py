"""Every hook of the library, with its context."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cds import registry
from cds.errors import BadInput
from cds.service import DecisionService
from hooks.library import HOOKS, Field, Hook
from hooks.requests import encounter_id, orders, parse, patient_id, selections, user

EXAMPLES: dict[str, Any] = {"id": "123", "text": "Practitioner/9", "array": ["ServiceRequest/1"], "object": {"a": 1}}


class Everywhere(DecisionService):
    """Answers every hook."""

    id = "everywhere"
    hooks = tuple(HOOKS)
    needs = ()


def body(hook: Hook, **context: Any) -> bytes:
    needed = {field.name: EXAMPLES[field.kind] for field in hook.fields if field.required}
    sent = {name: value for name, value in {**needed, **context}.items() if value != "left out"}
    return msgspec.json.encode({"hook": hook.name, "hookInstance": "i", "context": sent})


def fields(*, required: bool) -> list[Any]:
    found = [(hook, field) for hook in HOOKS.values() for field in hook.fields if field.required is required]
    return [pytest.param(hook, field, id=f"{hook.name}-{field.name}") for hook, field in found]


def test_the_library_is_complete_but_for_what_it_deprecates() -> None:
    assert set(HOOKS) == {
        *("patient-view", "encounter-start", "encounter-discharge", "order-select", "order-sign", "order-dispatch"),
        *("appointment-book", "medication-refill", "allergyintolerance-create", "problem-list-item-create"),
    }


@pytest.mark.parametrize("hook", HOOKS.values(), ids=lambda hook: hook.name)
def test_each_hook_is_read_with_the_context_that_it_must_have(hook: Hook) -> None:
    request = parse(body(hook), Everywhere())
    assert (request.hook, patient_id(request)) == (hook.name, "123")


@pytest.mark.parametrize(("hook", "field"), fields(required=True))
@pytest.mark.parametrize("value", ["left out", None, ""])
def test_a_required_field_that_is_missing_is_named(hook: Hook, field: Field, value: Any) -> None:
    with pytest.raises(BadInput, match=f"context.{field.name} is missing"):
        parse(body(hook, **{field.name: value}), Everywhere())


@pytest.mark.parametrize(("hook", "field"), fields(required=False))
@pytest.mark.parametrize("value", ["left out", None, ""])
def test_an_optional_field_may_be_missing(hook: Hook, field: Field, value: Any) -> None:
    assert parse(body(hook, **{field.name: value}), Everywhere()).hook == hook.name


@pytest.mark.parametrize(("hook", "field"), [*fields(required=True), *fields(required=False)])
def test_a_field_of_the_wrong_kind_is_named(hook: Hook, field: Field) -> None:
    with pytest.raises(BadInput, match=f"context.{field.name} is not a"):
        parse(body(hook, **{field.name: 7}), Everywhere())


@pytest.mark.parametrize("wrong", ["a/b", "../x", "a b", "x" * 65, "é"])
@pytest.mark.parametrize("name", ["patientId", "encounterId"])
def test_an_id_that_is_none_is_refused(name: str, wrong: str) -> None:
    with pytest.raises(BadInput, match=f"context.{name} is not a FHIR id"):
        parse(body(HOOKS["encounter-start"], **{name: wrong}), Everywhere())


def test_order_dispatch_has_no_user() -> None:
    request = parse(body(HOOKS["order-dispatch"]), Everywhere())
    assert user(request) == ""
    assert encounter_id(request) is None


@pytest.mark.parametrize(
    ("hook", "field"),
    [("order-select", "draftOrders"), ("order-sign", "draftOrders"), ("medication-refill", "medications")],
)
def test_unsigned_orders_are_found_where_the_hook_has_them(hook: str, field: str) -> None:
    request = parse(body(HOOKS[hook], **{field: {"resourceType": "Bundle"}}), Everywhere())
    found = orders(request)
    assert found is not None
    assert msgspec.json.decode(found) == {"resourceType": "Bundle"}


def test_a_hook_without_orders_has_none() -> None:
    assert orders(parse(body(HOOKS["patient-view"]), Everywhere())) is None


def test_selections_are_references() -> None:
    chosen = ["MedicationRequest/1", "ServiceRequest/2"]
    assert selections(parse(body(HOOKS["order-select"], selections=chosen), Everywhere())) == tuple(chosen)


def test_only_order_select_has_selections() -> None:
    assert selections(parse(body(HOOKS["order-sign"], selections=["MedicationRequest/1"]), Everywhere())) == ()


def test_selections_that_are_no_texts_are_refused() -> None:
    request = parse(body(HOOKS["order-select"], selections=[{"reference": "x"}]), Everywhere())
    with pytest.raises(BadInput, match=r"context\.selections"):
        selections(request)


def test_fields_that_we_do_not_know_are_ignored() -> None:
    assert parse(body(HOOKS["patient-view"], weather={"sunny": True}), Everywhere()).hook == "patient-view"


@pytest.mark.parametrize("service", registry.all_services(), ids=lambda service: service.id)
def test_a_hook_that_the_service_does_not_answer_is_refused(service: DecisionService) -> None:
    other = next(hook for name, hook in HOOKS.items() if name not in service.hooks)
    with pytest.raises(BadInput, match=service.hooks[0]):
        parse(body(other), service)

"""The hooks of the HL7 CDS Hooks library (as of its 2.0.0 build, 2026): their versions and what their context holds.

Left out are the two that the library itself deprecates, medication-prescribe and order-review.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct


class Field(Struct, frozen=True, kw_only=True):
    """One field of a hook's context; a `token` may stand in a prefetch template as `{{context.name}}`."""

    name: str
    kind: Literal["id", "text", "array", "object"]
    required: bool = True
    token: bool = False


class Hook(Struct, frozen=True, kw_only=True):
    """`orders` names the field that holds the Bundle of unsigned orders, if the hook has one."""

    name: str
    version: str
    fields: tuple[Field, ...]
    orders: str = ""

    @property
    def may_name_encounter(self) -> bool:
        return any(field.name == "encounterId" for field in self.fields)

    @property
    def tokens(self) -> frozenset[str]:
        """The tokens on which a prefetch template can rely."""
        return frozenset(field.name for field in self.fields if field.token and field.required)


PATIENT = Field(name="patientId", kind="id", token=True)
USER = Field(name="userId", kind="text", token=True)
PERHAPS_USER = Field(name="userId", kind="text", token=True, required=False)
ENCOUNTER = Field(name="encounterId", kind="id", token=True)
PERHAPS_ENCOUNTER = Field(name="encounterId", kind="id", token=True, required=False)
USUAL = (PATIENT, USER, PERHAPS_ENCOUNTER)
DRAFT_ORDERS = Field(name="draftOrders", kind="object")

_LIBRARY = (
    Hook(name="patient-view", version="1.0", fields=USUAL),
    Hook(name="encounter-start", version="1.0", fields=(PATIENT, USER, ENCOUNTER)),
    Hook(name="encounter-discharge", version="1.0", fields=(PATIENT, USER, ENCOUNTER)),
    Hook(
        name="order-select",
        version="1.0",
        fields=(*USUAL, Field(name="selections", kind="array"), DRAFT_ORDERS),
        orders="draftOrders",
    ),
    Hook(name="order-sign", version="1.0", fields=(*USUAL, DRAFT_ORDERS), orders="draftOrders"),
    Hook(
        name="order-dispatch",  # nobody need be there: a back office may choose who carries the order out
        version="1.1",
        fields=(
            PATIENT,
            Field(name="dispatchedOrders", kind="array", token=True),
            Field(name="performer", kind="text", token=True),
            Field(name="fulfillmentTasks", kind="array", required=False),
        ),
    ),
    Hook(name="appointment-book", version="1.0", fields=(*USUAL, Field(name="appointments", kind="object"))),
    Hook(
        name="medication-refill",  # often asked for outside any visit, by nobody in particular
        version="0.1.0",
        fields=(PATIENT, PERHAPS_USER, PERHAPS_ENCOUNTER, Field(name="medications", kind="object")),
        orders="medications",
    ),
    Hook(
        name="allergyintolerance-create",
        version="0.1.0",
        fields=(*USUAL, Field(name="allergyIntolerance", kind="object")),
    ),
    Hook(name="problem-list-item-create", version="0.1.0", fields=(*USUAL, Field(name="conditions", kind="object"))),
)
HOOKS: Mapping[str, Hook] = {hook.name: hook for hook in _LIBRARY}

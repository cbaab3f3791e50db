"""What a server says that it can do (CapabilityStatement), as far as it matters here."""

from __future__ import annotations

from msgspec import Struct

# Subscriptions R5 Backport 1.1.0, "SubscriptionTopics in FHIR R4": with the Subscription type, each topic that there is.
_TOPIC = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
)


class Interaction(Struct):
    code: str = ""


class Named(Struct):
    """A search parameter."""

    name: str = ""


class Extension(Struct, rename="camel"):
    """As far as it holds a canonical."""

    url: str = ""
    value_canonical: str = ""


class ResourceEntry(Struct, rename="camel"):
    type: str = ""
    interaction: list[Interaction] = []
    conditional_create: bool = False
    extension: list[Extension] = []
    search_param: list[Named] | None = None


class Rest(Struct, rename="camel"):
    """`search_param`: those of every type, `_sort` and `_count` among them (R4, CapabilityStatement.rest.searchParam)."""

    resource: list[ResourceEntry] = []
    interaction: list[Interaction] = []
    search_param: list[Named] | None = None


class Software(Struct):
    name: str = ""
    version: str = ""


class Capability(Struct, rename="camel"):
    """A CapabilityStatement."""

    resource_type: str
    fhir_version: str = ""
    software: Software | None = None
    rest: list[Rest] = []

    def can(self, resource: str, interaction: str) -> bool:
        return any(interaction in {one.code for one in entry.interaction} for entry in self._entries(resource))

    def creates_conditionally(self, resource: str) -> bool:
        """Does it heed If-None-Exist? (R4 http, "Conditional create")"""
        return any(entry.conditional_create for entry in self._entries(resource))

    @property
    def topics(self) -> list[str]:
        """What a Subscription may be about, by canonical URL."""
        said = [one for entry in self._entries("Subscription") for one in entry.extension]
        return [one.value_canonical for one in said if one.url == _TOPIC and one.value_canonical]

    def can_as_a_whole(self, *interactions: str) -> bool:
        """Any of these at the base itself: batch, transaction."""
        return any(one.code in interactions for rest in self.rest for one in rest.interaction)

    def _entries(self, resource: str) -> list[ResourceEntry]:
        return [entry for rest in self.rest for entry in rest.resource if entry.type == resource]

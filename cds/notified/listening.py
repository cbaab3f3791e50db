"""What is listened for: the observations that each service names as reasons to ask it again."""

from __future__ import annotations

from cds import registry
from cds.codes import Code
from cds.models import Ehr, EnabledService
from cds.needs import Need
from cds.opening import enabled
from cds.service import DecisionService


def services(ehr: Ehr) -> list[tuple[DecisionService, EnabledService]]:
    """Those to ask again at this EHR; what is off is not asked."""
    found = [(service, enabled(ehr, service)) for service in registry.all_services() if service.asked_again_by]
    return [(service, here) for service, here in found if here.stage != EnabledService.Stage.OFF]


def needs(ehr: Ehr) -> list[Need]:
    return [need for service, _ in services(ehr) for need in service.needs if need.key in set(service.asked_again_by)]


def codes(ehr: Ehr) -> frozenset[Code]:
    return frozenset(code for need in needs(ehr) for analyte in need.analytes for code in analyte.codes)


def matters(ehr: Ehr, focus: str, found: frozenset[Code]) -> bool:
    """Of an Observation its codes decide; what else a topic tells of (a report, an encounter) the topic has chosen."""
    return not focus.startswith("Observation/") or bool(found & codes(ehr))


def criteria(ehr: Ehr) -> str:
    """R4 Subscription.criteria: the search whose results we want to be told of."""
    tokens = ",".join(sorted(f"{code.system}|{code.code}" for code in codes(ehr)))
    return f"Observation?code={tokens}"

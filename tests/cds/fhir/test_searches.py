"""How each kind of server is asked, from what it announces and from what is known of its vendor."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cds import analytes, registry
from cds.fhir.capability import Capability
from cds.fhir.searches import Announced, Searches
from cds.needs import Need
from cds.presets import BY_KEY

HBA1C = Need.observations("hba1c", analytes.HBA1C, category="laboratory", required=True)
METFORMIN = Need.resources("metformin", "MedicationRequest", "code=http://rx|6809&_count=200")
CONDITIONS = Need.resources("conditions", "Condition", required=True)
NEEDS = [Need.patient(), CONDITIONS, HBA1C, METFORMIN]


def statement(
    *parameters: str, whole: tuple[str, ...] = (), everywhere: tuple[str, ...] = (), **types: Any
) -> Capability:
    """A server that has what NEEDS ask for, with these parameters of Observation, or `types` in its place."""
    types = types or {
        "Patient": (),
        "Condition": ("patient",),
        "Observation": parameters,
        "MedicationRequest": ("patient",),
    }
    resources = [
        {
            "type": kind,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": name} for name in names],
        }
        for kind, names in types.items()
    ]
    rest = {
        "resource": resources,
        "interaction": [{"code": code} for code in whole],
        "searchParam": [{"name": name} for name in everywhere],
    }
    return msgspec.convert({"resourceType": "CapabilityStatement", "rest": [rest]}, type=Capability)


def asking(said: Capability | None = None, vendor: str = "other") -> Searches:
    return Searches(announced=Announced.by(said) if said else Announced(), vendor=BY_KEY[vendor])


def parameters(searches: Searches, need: Need) -> dict[str, str]:
    url = searches.asks(need).search("123")
    return dict(part.split("=", 1) for part in url.partition("?")[2].split("&"))


# --- Vendors
def test_epic_is_asked_by_category_and_never_for_a_drug_by_its_code() -> None:
    epic = asking(statement("patient", "code", "date"), "epic")
    assert parameters(epic, HBA1C)["category"] == "laboratory"
    assert "http://loinc.org|4548-4" in parameters(epic, HBA1C)["code"]
    assert parameters(epic, METFORMIN) == {"patient": "123", "_count": "200"}
    assert "_sort" not in parameters(epic, HBA1C)


def test_oracle_health_is_asked_without_sort_a_hundred_a_page() -> None:
    oracle = asking(statement("patient", "code", "category", "date", "_count"), "oracle")
    assert parameters(oracle, HBA1C).keys() == {"patient", "category", "code", "_count"}
    assert parameters(oracle, HBA1C)["_count"] == "100"
    assert parameters(oracle, METFORMIN).keys() == {"patient", "_count"}


@pytest.mark.parametrize("vendor", ["medplum", "launcher"])
def test_servers_that_sort_without_saying_so_are_asked_to(vendor: str) -> None:
    assert parameters(asking(statement("patient", "code", "category"), vendor), HBA1C)["_sort"] == "-date"


def test_a_stranger_that_announces_nothing_is_asked_one_by_one_for_everything_and_not_to_sort() -> None:
    stranger = asking()
    assert not stranger.together
    assert all(stranger.offers(need) for need in NEEDS)
    assert parameters(stranger, HBA1C).keys() == {"patient", "category", "code", "_count"}


def test_the_demo_hospital_is_asked_in_one_batch_newest_first(demo_statement: Capability) -> None:
    demo = asking(demo_statement)
    assert demo.together
    every = [need for service in registry.all_services() for need in service.needs]
    assert all(demo.offers(need) for need in every)
    assert [demo.asks(need).search("ada") for need in every if need.resource == "Observation"] == [
        need.search("ada") for need in every if need.resource == "Observation"
    ]


@pytest.fixture
def demo_statement() -> Capability:
    from django.test import Client

    said = Client().get("/demo-ehr/fhir/metadata").content
    return msgspec.json.decode(said, type=Capability)


@pytest.mark.parametrize("service", registry.all_services(), ids=lambda service: service.id)
def test_every_service_asks_for_observations_by_category(service: Any) -> None:
    """Epic and US Core servers answer 400 without; what a service does not name cannot be added here."""
    assert all(need.category for need in service.needs if need.resource == "Observation")


# --- Rules
@pytest.mark.parametrize(("whole", "together"), [(("batch",), True), (("transaction",), False), ((), False)])
def test_a_batch_is_sent_only_where_a_batch_is_announced(whole: tuple[str, ...], together: bool) -> None:
    assert asking(statement("patient", whole=whole)).together is together


@pytest.mark.parametrize(
    "said", [statement("patient", "code", "_sort"), statement("code", everywhere=("_sort", "_id"))]
)
def test_an_announced_sort_is_used(said: Capability) -> None:
    assert parameters(asking(said), HBA1C)["_sort"] == "-date"


def test_parameters_of_every_type_do_not_stand_for_those_of_one() -> None:
    assert "code" in parameters(asking(statement(everywhere=("_sort", "_id"))), HBA1C)


def test_what_cannot_be_searched_by_is_left_out() -> None:
    assert parameters(asking(statement("patient", "category")), HBA1C).keys() == {"patient", "category", "_count"}
    assert parameters(asking(statement("patient")), HBA1C).keys() == {"patient", "_count"}


def test_a_type_that_is_not_there_or_cannot_be_searched_is_not_offered() -> None:
    said = statement(Patient=(), Observation=("patient",), Condition=("patient",))
    said.rest[0].resource[2].interaction = said.rest[0].resource[2].interaction[:1]
    assert [asking(said).offers(need) for need in NEEDS] == [True, False, True, False]


def test_a_type_without_interactions_may_be_tried() -> None:
    said = statement(Observation=())
    said.rest[0].resource[0].interaction = []
    assert asking(said).offers(HBA1C)


def test_a_read_stays_a_read() -> None:
    assert asking(statement("patient")).asks(Need.patient()).search("123") == "Patient/123"


def test_what_is_kept_of_a_statement_comes_back_from_its_json() -> None:
    announced = Announced.by(statement("patient", "code", "_sort", whole=("batch",)))
    assert msgspec.json.decode(msgspec.json.encode(announced), type=Announced) == announced


def test_the_administrator_reads_it_in_one_line() -> None:
    assert asking(statement("patient", "_sort", whole=("batch",))).in_words(NEEDS) == (
        "all in one batch; newest first; at most 200 a page"
    )
    assert asking(statement(Patient=(), Observation=("code",), Condition=()), "oracle").in_words(NEEDS) == (
        "each kind of data for itself, all at once; in any order, every page, sorted by Bedside; at most 100 a page; "
        "without MedicationRequest, which it does not offer"
    )

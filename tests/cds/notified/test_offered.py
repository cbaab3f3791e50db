"""In which style an EHR is asked: as it offers, and in words that its FHIR version knows, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from cds import registry
from cds.errors import FhirRefused
from cds.models import Ehr, EnabledService, Subscription
from cds.notified.subscribe import ask, listen, offered
from tests.cds.notified.notices import notice
from tests.conftest import forget
from tests.fhir_server import FhirServer
from tests.serving import serving

Style = Subscription.Style
TOPIC = "https://ehr.example/SubscriptionTopic/result"


@pytest.fixture
def ehr(server: FhirServer, db: None) -> Ehr:
    """It lets us work by ourselves; one service is asked again by a new HbA1c or glucose."""
    forget()
    made = Ehr.objects.create(name="Of one version", fhir_base=server.base, system_client_id="us", private_network=True)
    for service in registry.all_services():
        EnabledService.objects.create(ehr=made, service_id=service.id, stage=EnabledService.Stage.LIVE)
    return made


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[FhirServer]:
    with serving(FhirServer(request.param)) as server:
        yield server


of_r4 = pytest.mark.parametrize("server", ["4.0", "4.3"], indirect=True)
of_r5 = pytest.mark.parametrize("server", ["5.0"], indirect=True)


def with_topic(server: FhirServer) -> None:
    trigger = [{"resource": "http://hl7.org/fhir/StructureDefinition/Observation", "supportedInteraction": ["create"]}]
    topic: dict[str, Any] = {"resourceType": "SubscriptionTopic", "id": "result", "url": TOPIC, "status": "active"}
    server.keep(topic | {"resourceTrigger": trigger})


def knock(header: str, endpoint: str, body: bytes) -> int:
    answer = Client(SERVER_NAME="localhost").post(
        urlsplit(endpoint).path,
        body,
        content_type="application/fhir+json",
        headers={"Authorization": header.removeprefix("Authorization: ")},
    )
    return answer.status_code


@of_r4
def test_an_r4_server_without_topics_is_asked_by_search_criteria(ehr: Ehr, server: FhirServer) -> None:
    row = offered(ehr)
    ask(row, listen(row, actor="somebody"))
    (kept,) = server.all("Subscription")  # which holds it against the models of its version
    assert (row.style, row.remote_id) == (Style.SEARCH, kept["id"])
    assert "4548-4" in kept["criteria"]


@of_r5
def test_an_r5_server_is_asked_by_its_topic_and_its_handshake_makes_it_active(ehr: Ehr, server: FhirServer) -> None:
    with_topic(server)
    row = offered(ehr)
    values = listen(row, actor="somebody")
    ask(row, values)
    (kept,) = server.all("Subscription")
    assert (kept["topic"], kept["content"], kept["endpoint"]) == (TOPIC, "id-only", values.endpoint)
    assert f"{kept['parameter'][0]['name']}: {kept['parameter'][0]['value']}" == values.header
    assert knock(values.header, values.endpoint, notice(kind="handshake", subscription=kept["id"])) == 200
    assert Subscription.objects.get().state == Subscription.State.ACTIVE


@of_r5
def test_an_r5_server_without_a_topic_cannot_be_asked(ehr: Ehr) -> None:
    with pytest.raises(FhirRefused, match="no topic"):
        offered(ehr)

"""The public pages: what a clinician reviews and an integrator starts from."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from cds import registry
from cds.service import DecisionService
from smartapp import model_card


@pytest.fixture
def visitor() -> Client:
    return Client(SERVER_NAME="localhost")


@pytest.mark.django_db
def test_the_front_page_links_to_every_service_and_to_the_demo_hospital(visitor: Client, settings: Settings) -> None:
    page = visitor.get("/").content.decode()
    for service in registry.all_services():
        assert f'href="/services/{service.id}"' in page
    assert f'href="{settings.DEMO_EHR_URL}/"' in page


@pytest.mark.parametrize("service", registry.all_services(), ids=lambda service: service.id)
def test_every_rule_stands_on_the_services_page_with_its_source(visitor: Client, service: DecisionService) -> None:
    page = visitor.get(f"/services/{service.id}").content.decode()
    for rule in service.rules:
        assert f'<tr id="{rule.key}">' in page
    for need in service.needs:
        assert f'<td data-label="Resource">{need.resource}</td>' in page
        for analyte in need.analytes:
            assert analyte.title in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    "service", [one for one in registry.all_services() if one.model], ids=lambda service: service.id
)
def test_every_model_has_its_card_as_a_page(visitor: Client, service: DecisionService) -> None:
    page = visitor.get(f"/models/{service.model}").content.decode()
    assert "<h2>Not for</h2>" in page
    assert "<table>" in page


@pytest.mark.parametrize("path", ["/services/none", "/models/none", "/nothing"])
def test_what_is_not_there_is_said_plainly(visitor: Client, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_nobody_may_frame_a_public_page(visitor: Client) -> None:
    answer = visitor.get("/services/diabetes-risk")
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"


def test_html_in_a_model_card_is_shown_and_not_run() -> None:
    assert "<script>" not in model_card._html("a <script>alert(1)</script> b")


def test_a_chapter_of_the_card_comes_without_its_neighbours() -> None:
    said = model_card.chapter(registry.get("diabetes-risk"), "Not for")
    assert "Children" in said
    assert "NHANES" not in said
    assert model_card.chapter(registry.get("diabetes-risk"), "No such chapter") == ""


@pytest.mark.django_db
def test_our_keys_are_public_and_may_be_cached(visitor: Client) -> None:
    answer = visitor.get("/jwks.json")
    assert {key["alg"] for key in answer.json()["keys"]} == {"ES384", "RS384"}
    assert not {"d", "p", "q"} & {name for key in answer.json()["keys"] for name in key}
    assert answer["Cache-Control"] == "public, max-age=3600"

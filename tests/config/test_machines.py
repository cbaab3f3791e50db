"""An EHR's call meets what protects everybody, and nothing of what is for people."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings


@pytest.mark.django_db
def test_a_call_gets_json_of_a_known_length_and_no_page_headers(client: Client) -> None:
    answer = client.get("/cds-services", headers={"accept-language": "de", "accept": "text/html"})
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert int(answer["Content-Length"]) == len(answer.content)
    assert not answer.cookies
    assert "Content-Language" not in answer


@pytest.mark.django_db
def test_an_answer_is_never_taken_for_a_page(client: Client) -> None:
    answer = client.get("/cds-services")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_a_call_over_plain_http_is_sent_to_https(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/cds-services").status_code == 301


def test_what_is_not_there_is_404(client: Client) -> None:
    assert client.get("/cds-services-of-another/kind").status_code == 404


def test_a_page_still_has_what_pages_need(client: Client) -> None:
    assert "script-src 'self'" in client.get("/services/diabetes-risk")["Content-Security-Policy"]

"""A list of the admin can be read in a narrow window: each cell says what it is, and an empty list what to do."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from cds.models import Ehr


@pytest.fixture
def administrator(db: None) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("root"))
    return client


def listed(administrator: Client, model: str, **query: str) -> str:
    return administrator.get(reverse(f"admin:{model}_changelist"), query).content.decode()


def test_each_cell_says_its_columns_title(administrator: Client) -> None:
    Ehr.objects.create(name='St. "Else" & Where', fhir_base="https://e.example/fhir")
    page = listed(administrator, "cds_ehr")
    assert '<th data-label="Name" class="field-name"><a ' in page
    assert "St. &quot;Else&quot; &amp; Where</a>" in page
    assert '<td data-label="Active" class="field-active"><img ' in page


def test_the_box_that_ticks_a_row_has_no_title(administrator: Client) -> None:
    page = listed(administrator, "auth_user")
    assert '<td class="action-checkbox"><input type="checkbox"' in page
    assert 'data-label="Username"' in page


def test_a_filter_that_nothing_fits_can_be_cleared(administrator: Client) -> None:
    assert "Nothing here yet." in listed(administrator, "cds_snooze")
    assert '<a href="?">clear all filters</a>' in listed(administrator, "cds_writeback", status__exact="failed")

"""In which FHIR version an EHR is spoken to: asked once, kept on its row."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.utils import timezone

from cds.connect import bearer_client, dialect_of
from cds.context import PatientContext
from cds.errors import MissingData
from cds.fhir.versions import Dialect, Version
from cds.gather import gather
from cds.models import Ehr
from cds.onboarding import try_connection
from cds.registry import get
from tests.fhir_server import FhirServer
from tests.serving import serving
from tests.strange_ehr import ALL, StrangeEhr
from tests.strangers import Stranger


@pytest.fixture(autouse=True)
def nothing_remembered(db: None) -> Iterator[None]:
    caches["process"].clear()
    yield
    caches["process"].clear()


def connected(base: str, **changed: str) -> Ehr:
    return Ehr.objects.create(**{"name": "Other", "fhir_base": base, "private_network": True, **changed})


def test_the_first_request_finds_out_and_the_row_keeps_it() -> None:
    with serving(FhirServer(Version.STU3)) as server:
        ehr = connected(server.base)
        assert bearer_client(ehr, "t").version is Version.STU3
        assert bearer_client(Ehr.objects.get(), "t").version is Version.STU3
        assert server.asked == ["GET metadata"]


def test_the_token_is_not_sent_to_find_it_out() -> None:
    """The server answers /metadata only; it would answer anything else without a token with 401."""
    with serving(FhirServer(Version.R5)) as server:
        assert dialect_of(connected(server.base)) == Dialect(Version.R5)


def test_a_client_that_asks_nothing_finds_out_nothing() -> None:
    with serving(FhirServer(Version.R5)) as server:
        bearer_client(connected(server.base), "t")
        assert server.asked == []


def test_a_server_of_several_versions_is_told_which_in_each_request() -> None:
    with serving(FhirServer(Version.R5, named=True)) as server:
        server.keep({"resourceType": "Patient", "id": "ada"})
        bearer_client(connected(server.base), "t").get("Patient/ada")
        assert server.accepted == ["application/fhir+json", "application/fhir+json; fhirVersion=5.0"]


def test_a_server_of_one_version_is_not_sent_a_parameter_that_it_may_not_know() -> None:
    with serving(FhirServer(Version.R5)) as server:
        server.keep({"resourceType": "Patient", "id": "ada"})
        bearer_client(connected(server.base), "t").get("Patient/ada")
        assert set(server.accepted) == {"application/fhir+json"}


@pytest.mark.parametrize("said", [None, b"<html>", b'{"fhirVersion": "1.0.2"}', b'{"fhirVersion": 4}'])
def test_where_it_cannot_be_found_out_r4_is_tried_and_not_kept(
    said: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(Stranger()) as server, caplog.at_level(logging.WARNING, logger="cds.connect"):
        server.pages["/fhir/metadata"] = said
        ehr = connected(f"{server.url}/fhir")
        assert [dialect_of(ehr).version for _ in range(2)] == [Version.R4] * 2
        assert server.asked == ["/fhir/metadata"]  # and not again for a minute
    assert Ehr.objects.get().fhir_version == ""
    assert "R4 is tried" in caplog.text


def test_a_test_of_the_connection_learns_of_an_upgrade() -> None:
    with serving(FhirServer(Version.R4B, named=True)) as server:
        try_connection(connected(server.base, fhir_version=Version.STU3))
    row = Ehr.objects.get()
    assert row.dialect == Dialect(Version.R4B, named=True)


def test_an_administrators_choice_among_several_versions_is_asked_for() -> None:
    with serving(FhirServer(Version.R4, named=True)) as server:
        ehr = connected(server.base, fhir_version=Version.R4)
        ehr.fhir_version_named = True
        try_connection(ehr)
        assert server.accepted[0] == "application/fhir+json; fhirVersion=4.0"


def test_another_base_is_another_server_and_is_asked_again() -> None:
    ehr = connected("https://old.example/fhir", fhir_version=Version.STU3)
    ehr.fhir_base = "https://new.example/fhir/"
    ehr.clean()
    assert ehr.dialect is None


def test_the_same_base_keeps_its_version() -> None:
    ehr = connected("https://old.example/fhir", fhir_version=Version.STU3)
    ehr.clean()
    assert ehr.fhir_version == Version.STU3


# --- How it is asked -------------------------------------------------------------------------------------------------
@pytest.fixture
def strange() -> Iterator[StrangeEhr]:
    """It has no batch, takes no `_sort` and has no MedicationRequest."""
    with serving(StrangeEhr()) as server:
        server.searched_by = ("patient", "code", "category")
        server.can |= dict.fromkeys(("Condition", "ServiceRequest", "Procedure", "Encounter"), ALL)
        server.put({"resourceType": "Patient", "id": "ada", "gender": "female", "birthDate": "1974-01-15"})
        yield server


def asked_about_ada(ehr: Ehr) -> PatientContext:
    return gather(get("diabetes-risk"), patient_id="ada", now=ehr.now(), client=bearer_client(ehr, "t"))


def test_a_strange_server_is_asked_in_the_words_that_it_announces(strange: StrangeEhr) -> None:
    context = asked_about_ada(connected(strange.url))
    assert context.unread == ("medications",)
    assert strange.asked[0] == "GET metadata"
    assert all(line.startswith("GET ") and "_search" not in line for line in strange.asked)
    assert "GET MedicationRequest" not in strange.asked


def test_the_next_hook_need_not_read_what_it_announces(strange: StrangeEhr) -> None:
    connected(strange.url)
    asked_about_ada(Ehr.objects.get())
    asked_about_ada(Ehr.objects.get())
    assert strange.asked.count("GET metadata") == 1


def test_a_type_that_it_has_not_and_that_must_be_read_is_a_412_at_once(strange: StrangeEhr) -> None:
    del strange.can["Condition"]
    with pytest.raises(MissingData) as missing:
        asked_about_ada(connected(strange.url))
    assert missing.value.keys == ("conditions",)
    assert "GET Condition" not in strange.asked


def test_a_test_of_the_connection_learns_what_it_announces_now(strange: StrangeEhr) -> None:
    ehr = connected(strange.url)
    asked_about_ada(ehr)
    strange.can["MedicationRequest"] = ALL
    try_connection(ehr)
    assert asked_about_ada(Ehr.objects.get()).unread == ()


def test_what_was_announced_a_week_ago_counts_no_more(strange: StrangeEhr) -> None:
    ehr = connected(strange.url)
    asked_about_ada(ehr)
    Ehr.objects.update(announced_at=timezone.now() - timedelta(days=8))
    asked_about_ada(Ehr.objects.get())
    assert "GET MedicationRequest" in strange.asked  # it may be there by now
    assert strange.asked.count("GET metadata") == 1  # and no hook waits to find out


def test_a_vendor_that_is_entered_decides_what_the_server_leaves_open(strange: StrangeEhr) -> None:
    assert bearer_client(connected(strange.url, vendor="medplum"), "t").searches.sorts("Observation")

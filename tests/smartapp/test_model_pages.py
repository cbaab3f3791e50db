"""A public page for each version that is or was in use, and the same for machines; a draft is for administrators."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import pytest
from django.test import Client

from scoring import shelf
from scoring.models import ModelVersion
from tests.cds.admin.people import signed_in
from tests.cds.shelves import MODEL, draft, renewed

pytestmark = pytest.mark.django_db
SUFFIXES = ("", "/card.json", "/card.md", "/source-attributes.csv")


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    shelf.forget()
    yield
    shelf.forget()


def in_use() -> str:
    return shelf.active_version(MODEL)


def test_anybody_reads_the_page_of_the_version_in_use(client: Client) -> None:
    page = client.get(f"/models/{MODEL}/{in_use()}")
    assert page.status_code == 200
    text = page.content.decode()
    assert "In use here since" in text
    assert text.count("<dt>") == 31
    assert "What we did with the test years" in text


@pytest.mark.parametrize("address", [f"/models/{MODEL}", f"/models/{MODEL}/latest"])
def test_the_latest_is_the_one_in_use(client: Client, address: str) -> None:
    version = draft()
    assert f"{MODEL} {in_use()} in short" in client.get(address).content.decode()
    shelf.approve(MODEL, version.version, by="Cy, Ann")
    assert f"{MODEL} {version.version} in short" in client.get(address).content.decode()


def test_a_retired_version_says_so_and_another_ones_words_are_not_its(client: Client) -> None:
    version = draft()
    shelf.approve(MODEL, version.version, by="Cy, Ann")
    shelf.roll_back(MODEL, by="Cy")
    text = client.get(f"/models/{MODEL}/{version.version}").content.decode()
    assert "No longer in use here" in text
    assert "What we did with the test years" not in text
    assert "these are the figures of this one" in text


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_draft_is_for_administrators_only(client: Client, suffix: str) -> None:
    address = f"/models/{MODEL}/{draft().version}{suffix}"
    assert client.get(address).status_code == 404
    assert signed_in("nobody").get(address).status_code == 404
    assert signed_in("aud", "auditor").get(address).status_code == 200


def test_a_page_names_no_draft_and_no_person_to_the_public(client: Client) -> None:
    draft("9.9.9")
    ModelVersion.objects.filter(status="approved").update(approved_by="Dr. Ann Example")
    text = client.get(f"/models/{MODEL}").content.decode()
    assert "9.9.9" not in text
    assert "Example" not in text


def test_it_is_there_as_json_markdown_and_csv(client: Client) -> None:
    address = f"/models/{MODEL}/{in_use()}"
    assert client.get(f"{address}/card.json").json()["version"] == in_use()
    markdown = client.get(f"{address}/card.md")
    assert markdown["Content-Type"].startswith("text/markdown")
    assert markdown.content.decode().startswith(f"# {MODEL} {in_use()}")
    rows = list(csv.DictReader(io.StringIO(client.get(f"{address}/source-attributes.csv").content.decode())))
    assert len(rows) == 31
    assert {row["available"] for row in rows} == {"yes", "no"}
    assert all(row["text"].startswith("Not available: ") == (row["available"] == "no") for row in rows)


def test_every_plot_of_the_page_is_there_and_has_a_text(client: Client) -> None:
    page = client.get(f"/models/{MODEL}").content.decode()
    sources = re.findall(r'(?:src|srcset)="(/models/[^"]+[.]svg)"', page)
    assert len(sources) == 24
    drawn = {address: client.get(address) for address in sources}
    assert {answer["Content-Type"] for answer in drawn.values()} == {"image/svg+xml"}
    assert 'alt="Calibration in tenths of the people: ' in page
    for address in (address for address in sources if "by-group" in address):
        drawing = drawn[address].content.decode()
        assert "Non-Hispanic Black" in drawing
        assert ("ethnicity: Non-Hispanic Black<" in drawing) == ("/wide/" in address)
    assert 'alt="Observed/expected, 95 % interval: lowest in ethnicity: Non-Hispanic White' in page


@pytest.mark.parametrize("plot", ["none/wide/light", "ranking-by-group/huge/light", "ranking-by-group/wide/pink"])
def test_a_plot_that_is_none_is_not_found(client: Client, plot: str) -> None:
    assert client.get(f"/models/{MODEL}/{in_use()}/plots/{plot}.svg").status_code == 404


def test_without_figures_there_is_no_plot(client: Client) -> None:
    row = shelf.in_use(MODEL)
    assert row is not None
    ModelVersion.objects.filter(pk=row.pk).update(facts={**row.facts, "by_group": {}, "curves": {}})
    page = client.get(f"/models/{MODEL}")
    assert page.status_code == 200
    assert ".svg" not in page.content.decode()


@pytest.mark.parametrize("path", ["none", "none/1.0.0", f"{MODEL}/0.0.0", f"{MODEL}/0.0.0/card.json", f"{MODEL}/1%00"])
def test_what_is_not_there_is_not_found(client: Client, path: str) -> None:
    assert client.get(f"/models/{path}").status_code == 404


def test_a_renewed_version_says_whose_figures_these_are(client: Client) -> None:
    version = renewed()
    before = in_use()
    shelf.approve(MODEL, version.version, by="Cy, Ann")
    text = client.get(f"/models/{MODEL}/{version.version}").content.decode()
    assert f"are of {before}, from which this version was renewed" in text
    assert "270 people here, 90 with the label" in text

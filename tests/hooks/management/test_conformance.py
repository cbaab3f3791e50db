"""`manage.py conformance`: it passes on ours, and finds what is wrong with a service that does everything wrong."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

from cds.models import Ehr
from cds.registry import all_services
from smartapp.demo_ehr import addresses, tokens
from smartapp.demo_ehr import hooks as emr
from smartapp.demo_ehr.prescribing import draft_of
from tests.hooks.conformance.bad_service import bad_service


@pytest.fixture(autouse=True)
def patience(settings: Settings) -> None:
    """The first call loads the model, which may take its time where three suites share two cores."""
    settings.FHIR_TIMEOUT_SECONDS = 30


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """The demo hospital's private key."""
    file = tmp_path / "hospital.jwk"
    file.write_text(json.dumps(tokens.ec_key().as_dict(private=True)))
    return file


@pytest.fixture
def requests_with_cards(hospital: Ehr, tmp_path: Path) -> list[str]:
    """For each hook a call that gets a card of every service; the prefetch is in it, so that no token is needed."""
    options = []
    for hook, patient in {"patient-view": "chen", "order-sign": "dara", "order-select": "dara"}.items():
        service = emr.services(hook)[0]
        orders = [] if hook == "patient-view" else [draft_of(patient)]
        body = emr.hook_request(patient, service, orders=orders, authorized=False)
        if hook == "patient-view":
            _forget_pressures(body["prefetch"]["vitals"])
        file = tmp_path / f"{hook}.json"
        file.write_text(json.dumps(body))
        options += ["--request", str(file)]
    return options


def _forget_pressures(vitals: dict[str, Any]) -> None:
    """Of Chen, whose pressure is then due as well as his HbA1c."""
    vitals["entry"] = [one for one in vitals["entry"] if "8480-6" not in json.dumps(one["resource"])]


def report(url: str, *options: str) -> tuple[list[str], bool]:
    """The lines of the report, and whether the command ended well."""
    out = io.StringIO()
    passed = True
    try:
        call_command("conformance", url, "--private-network", *options, stdout=out)
    except CommandError:
        passed = False
    return out.getvalue().splitlines(), passed


def signed_by_the_hospital(key_file: Path) -> list[str]:
    return ["--issuer", addresses.hospital(), "--issuer-key", str(key_file), "--jku", addresses.jwks_url()]


def test_ours_conforms(hospital: Ehr, key_file: Path) -> None:
    """With made-up patients, who have an empty record."""
    lines, passed = report(settings.BASE_URL, *signed_by_the_hospital(key_file))
    failed = [line for line in lines if line.startswith("fail  SHALL")]
    assert (passed, failed) == (True, []), "\n".join(lines)
    for service in all_services():
        for hook in service.hooks:
            assert any(f"[{service.id} on {hook}]" in line and line.startswith("pass") for line in lines)


def test_with_a_key_and_a_request_nothing_is_left_unchecked(
    hospital: Ehr, key_file: Path, requests_with_cards: list[str]
) -> None:
    """But for the time, which is the benchmark's to measure."""
    lines, _ = report(settings.BASE_URL, *signed_by_the_hospital(key_file), *requests_with_cards)
    about = [line for line in lines if " on " in line and "500 ms" not in line]
    assert len(about) > 60
    assert not [line for line in about if not line.startswith("pass")]


def test_without_a_key_ours_refuses_every_call(hospital: Ehr) -> None:
    lines, passed = report(settings.BASE_URL)
    assert not passed
    assert any("answered 401" in line for line in lines)


@pytest.mark.parametrize(
    "fault",
    [
        "services[0].title is ''",
        "services[0].description is missing",
        "cards[0].summary has 140 characters",
        "cards[0].indicator is 'hard-stop'",
        "cards[0].source.label is missing",
        "cards[0].selectionBehavior is None",
        "the answer.systemActions is []",
        "a uuid is missing",
        "answered 200 instead of 404",
        "answered 200 instead of refusing it",
    ],
)
def test_each_fault_of_a_bad_service_is_named(fault: str) -> None:
    with bad_service() as url:
        lines, passed = report(url)
    assert not passed
    assert any(fault in line for line in lines), "\n".join(lines)


def test_a_bad_service_believes_every_forged_token(key_file: Path) -> None:
    with bad_service() as url:
        lines, _ = report(url, *signed_by_the_hospital(key_file))
    about_trust = [line for line in lines if "Trusting CDS Clients" in line]
    assert len(about_trust) > 10
    assert all(line.startswith("fail") for line in about_trust)


def test_without_a_key_trust_is_skipped_with_its_reason() -> None:
    with bad_service() as url:
        lines, _ = report(url)
    assert any(line.startswith("skip") and "Trusting" in line for line in lines)
    assert any("no --issuer-key was given" in line for line in lines)


def test_where_nobody_answers_discovery_fails() -> None:
    lines, passed = report("http://127.0.0.1:1")
    assert not passed
    assert lines[0].startswith("fail  SHALL   Discovery")


def test_a_public_key_and_a_missing_file_are_said(tmp_path: Path) -> None:
    public = tmp_path / "public.jwk"
    public.write_text(json.dumps(tokens.ec_key().as_dict(private=False)))
    for file, said in ((public, "public one"), (tmp_path / "none.jwk", "No such file")):
        with pytest.raises(CommandError, match=said):
            call_command("conformance", "http://localhost", "--issuer", "x", "--issuer-key", str(file))

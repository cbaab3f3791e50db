"""Administrators sign in at the hospital's provider; a password opens the sealed account and nothing else."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from joserfc.jwk import RSAKey
from pytest_django import Settings

from cds.models import AuditEntry
from config.checks import sign_in_is_complete
from tests.config.provider import Provider
from tests.serving import serving

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    with serving(Provider()) as provider:
        settings.ADMIN_OIDC_ISSUER = provider.url
        settings.ADMIN_OIDC_CLIENT_ID = "bedside"
        settings.ADMIN_OIDC_CLIENT_SECRET = ""
        settings.ADMIN_OIDC_ROLES = {"cds-it": "integrator", "cds-audit": "auditor"}
        provider.claims = {"groups": ["cds-it", "staff"], "name": "Ines Okafor"}
        yield provider


@pytest.fixture
def browser() -> Client:
    return Client(SERVER_NAME="localhost")


def begun(browser: Client, provider: Provider) -> dict[str, str]:
    return provider.authorize(browser.get("/admin/oidc/login")["Location"])


def signed_in(browser: Client, provider: Provider, **changed: str) -> Any:
    return browser.get("/admin/oidc/callback", begun(browser, provider) | changed)


def refused(browser: Client, answer: Any) -> bool:
    return answer.status_code == 403 and browser.get("/admin/").status_code == 302


def test_somebody_with_a_role_is_signed_in_with_that_role(browser: Client, provider: Provider) -> None:
    assert signed_in(browser, provider).status_code == 302
    assert browser.get("/admin/cds/ehr/connect/").status_code == 200
    user = User.objects.get()
    assert [group.name for group in user.groups.all()] == ["integrator"]
    assert (user.get_full_name(), user.is_superuser, user.has_usable_password()) == ("Ines Okafor", False, False)
    assert AuditEntry.objects.filter(action="sign-in").count() == 1


def test_the_code_is_asked_for_and_redeemed_with_pkce(browser: Client, provider: Provider) -> None:
    signed_in(browser, provider)
    assert provider.asked_for["code_challenge_method"] == "S256"
    assert provider.posted["code_verifier"]
    assert provider.posted["client_id"] == "bedside"


def test_the_roles_are_those_of_today(browser: Client, provider: Provider) -> None:
    signed_in(browser, provider)
    provider.claims["groups"] = "cds-audit"
    signed_in(browser, provider)
    assert [group.name for group in User.objects.get().groups.all()] == ["auditor"]
    assert browser.get("/admin/cds/ehr/connect/").status_code == 403


def test_without_a_role_nobody_comes_in(browser: Client, provider: Provider) -> None:
    provider.claims["groups"] = ["staff"]
    answer = signed_in(browser, provider)
    assert refused(browser, answer)
    assert "You were not signed in" in answer.content.decode()
    assert not User.objects.exists()
    assert AuditEntry.objects.get(action="sign-in-refused").detail["reason"] == "no role"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://stranger.example"},
        {"aud": "another"},
        {"exp": 1},
        {"nonce": "of another sign-in"},
        {"sub": ""},
    ],
    ids=lambda claims: next(iter(claims)),
)
def test_a_wrong_claim_is_refused(browser: Client, provider: Provider, claims: dict[str, Any]) -> None:
    provider.claims |= claims
    assert refused(browser, signed_in(browser, provider))


def test_a_forged_signature_is_refused(browser: Client, provider: Provider) -> None:
    provider.signs_with = RSAKey.generate_key(2048)
    assert refused(browser, signed_in(browser, provider))


def test_a_state_of_nobody_is_refused(browser: Client, provider: Provider) -> None:
    assert refused(browser, signed_in(browser, provider, state="invented"))


def test_a_sign_in_that_another_browser_began_is_refused(browser: Client, provider: Provider) -> None:
    brought = begun(Client(SERVER_NAME="localhost"), provider)
    assert refused(browser, browser.get("/admin/oidc/callback", brought))


def test_a_sign_in_works_once(browser: Client, provider: Provider) -> None:
    brought = begun(browser, provider)
    browser.get("/admin/oidc/callback", brought)
    browser.logout()
    assert refused(browser, browser.get("/admin/oidc/callback", brought))


def test_a_provider_that_is_down_is_said_plainly(browser: Client, provider: Provider, settings: Settings) -> None:
    brought = begun(browser, provider)
    settings.ADMIN_OIDC_ISSUER = "http://127.0.0.1:9"
    assert refused(browser, browser.get("/admin/oidc/callback", brought))
    assert refused(browser, browser.get("/admin/oidc/login"))


def test_somebody_who_was_switched_off_here_stays_out(browser: Client, provider: Provider) -> None:
    signed_in(browser, provider)
    browser.logout()
    User.objects.update(is_active=False)
    assert refused(browser, signed_in(browser, provider))


def sealed() -> str:
    shown = io.StringIO()
    call_command("seal_account", stdout=shown)
    return str(re.findall(r"Password: (\S+)", shown.getvalue())[0])


def log_in(browser: Client, username: str, password: str) -> bool:
    browser.post("/admin/login/", {"username": username, "password": password})
    return browser.get("/admin/").status_code == 200


def test_a_password_opens_the_sealed_account_and_that_is_audited(browser: Client, provider: Provider) -> None:
    assert log_in(browser, "emergency", sealed())
    assert AuditEntry.objects.filter(action="emergency-sign-in").count() == 1


def test_signing_out_is_audited(browser: Client, provider: Provider) -> None:
    signed_in(browser, provider)
    assert browser.post("/admin/logout/").status_code in {200, 302}
    assert browser.get("/admin/").status_code == 302
    entry = AuditEntry.objects.get(action="sign-out")
    assert (entry.actor, entry.address) == (f"admin {User.objects.get().pk}", "127.0.0.1")


def test_nobody_signs_out_twice(browser: Client, provider: Provider) -> None:
    signed_in(browser, provider)
    for _ in range(2):
        browser.post("/admin/logout/")
    assert AuditEntry.objects.filter(action="sign-out").count() == 1


def test_sealing_again_makes_the_old_password_worthless(browser: Client, provider: Provider) -> None:
    old = sealed()
    sealed()
    assert not log_in(browser, "emergency", old)
    assert AuditEntry.objects.filter(action="sign-in-refused").count() == 1


def test_no_other_account_has_a_password_where_there_is_a_provider(browser: Client, provider: Provider) -> None:
    User.objects.create_superuser("root", password="open sesame")
    assert not log_in(browser, "root", "open sesame")


def test_without_a_provider_a_password_is_enough(browser: Client) -> None:
    User.objects.create_superuser("root", password="open sesame")
    assert log_in(browser, "root", "open sesame")
    assert browser.get("/admin/oidc/login").status_code == 404


def test_the_sign_in_page_offers_the_provider(browser: Client, provider: Provider) -> None:
    assert "Sign in with your hospital account" in browser.get("/admin/login/").content.decode()


def test_a_misspelt_role_stops_the_start(provider: Provider, settings: Settings) -> None:
    assert sign_in_is_complete(None) == []
    settings.ADMIN_OIDC_ROLES = {"cds-it": "integrater"}
    assert [error.id for error in sign_in_is_complete(None)] == ["config.E001"]
    settings.ADMIN_OIDC_ROLES = {}
    assert [error.id for error in sign_in_is_complete(None)] == ["config.E002"]

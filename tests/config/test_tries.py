"""Guessing a password at the sign-in page ends after five tries; strangers cannot close the account to the hospital."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models import F
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from cds.models import AuditEntry
from config import tries
from config.models import Tries
from tests.at_once import at_once

pytestmark = pytest.mark.django_db
DESK, STRANGER = "10.0.0.7", "203.0.113.9"
CLOSED = "Too many wrong passwords for this account."
WRONG = "guess-which-nobody-keeps"


@pytest.fixture(autouse=True)
def quick_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def password(quick_hashes: None) -> str:
    """Of the emergency account."""
    return sealed()


def sealed() -> str:
    shown = io.StringIO()
    call_command("seal_account", stdout=shown)
    return re.findall(r"Password: (\S+)", shown.getvalue())[0]  # type: ignore[no-any-return]


def tried(password: str, *, at: str = DESK, account: str = "emergency", **headers: str) -> Any:
    browser = Client(SERVER_NAME="localhost", REMOTE_ADDR=at, headers=headers)
    return browser.post("/admin/login/", {"username": account, "password": password, "next": "/admin/"})


def opens(password: str, *, at: str = DESK) -> bool:
    return bool(tried(password, at=at).status_code == 302)


def guessed(times: int, *, at: str = DESK, account: str = "emergency") -> str:
    """What the last page said."""
    return str([tried(WRONG, at=at, account=account).content.decode() for _ in range(times)][-1])


def guessed_from_everywhere() -> None:
    for number in range(tries.FROM_ALL):
        guessed(1, at=f"198.51.100.{number}")


def later(minutes: int) -> None:
    """The clock goes on."""
    Tries.objects.update(until=F("until") - timedelta(minutes=minutes))


def reasons() -> list[str]:
    entries = AuditEntry.objects.filter(action="sign-in-refused").order_by("pk")
    return [str(entry.detail["reason"]) for entry in entries]


def test_after_five_wrong_tries_the_right_password_is_refused_too(password: str) -> None:
    guessed(5)
    assert not opens(password)


def test_four_wrong_tries_close_nothing(password: str) -> None:
    guessed(4)
    assert opens(password)


def test_the_right_password_ends_the_count(password: str) -> None:
    guessed(4)
    opens(password)
    guessed(4)
    assert opens(password)


def test_the_page_says_when_to_try_again(password: str, settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    assert CLOSED not in guessed(4)
    said = guessed(1)
    until = timezone.localtime(Tries.objects.latest("count").until)
    assert f"{CLOSED} Try again after {until:%H:%M} " in said
    assert "in 15 minutes" in said


def test_after_a_quarter_of_an_hour_it_opens_again(password: str) -> None:
    guessed(5)
    later(14)
    assert "in 1 minute." in guessed(1)
    assert not opens(password)
    later(1)
    assert opens(password)


def test_somebody_elsewhere_is_not_kept_out(password: str) -> None:
    guessed(5, at=STRANGER)
    assert not opens(password, at=STRANGER)
    assert opens(password)


def test_guesses_from_many_addresses_close_the_account_to_strangers(password: str) -> None:
    guessed_from_everywhere()
    assert CLOSED in guessed(1, at=STRANGER)
    assert not opens(password, at=STRANGER)


def test_where_an_administrator_has_signed_in_lately_strangers_close_nothing(password: str) -> None:
    assert opens(password, at=DESK)
    guessed_from_everywhere()
    assert opens(password, at=DESK)


def test_one_address_counts_no_more_than_five_times_against_all_others(password: str) -> None:
    guessed(tries.FROM_ALL, at=STRANGER)
    assert opens(password)


def test_sealing_the_account_opens_it(password: str) -> None:
    guessed(5)
    assert opens(sealed())


def test_another_account_is_not_closed(password: str) -> None:
    User.objects.create_superuser("root", password="open sesame")
    guessed(5, account="root")
    assert opens(password)


def test_an_account_that_is_not_there_closes_like_one_that_is(password: str) -> None:
    there, missing = guessed(5), guessed(5, account="nobody")
    assert CLOSED in there
    assert CLOSED in missing


def test_where_there_is_a_provider_the_limit_holds_as_well(password: str, settings: Settings) -> None:
    settings.ADMIN_OIDC_ISSUER = "https://login.example"
    assert CLOSED in guessed(5)
    assert CLOSED in guessed(5, account="root")
    assert not opens(password)


def test_behind_the_proxy_the_address_is_the_one_that_the_proxy_saw(password: str, settings: Settings) -> None:
    settings.BEHIND_PROXY = True
    for number in range(5):
        tried(WRONG, at="172.18.0.2", **{"X-Forwarded-For": f"192.0.2.{number}, {STRANGER}"})
    assert CLOSED in tried(password, at="172.18.0.2", **{"X-Forwarded-For": STRANGER}).content.decode()
    assert tried(password, at="172.18.0.2", **{"X-Forwarded-For": DESK}).status_code == 302


def test_every_wrong_try_and_the_closing_are_audited(password: str) -> None:
    guessed(7)
    emergency = f"admin {User.objects.get(username='emergency').pk}"
    assert reasons() == ["password"] * 5 + ["locked"] * 2
    entry = AuditEntry.objects.get(action="sign-in-locked")
    assert (entry.address, entry.subject, entry.detail) == (DESK, emergency, {"minutes": 15})


def test_what_was_typed_is_kept_nowhere(password: str, caplog: pytest.LogCaptureFixture) -> None:
    guessed(6, account="typed-here-by-mistake")
    kept = [str(row) for model in (AuditEntry, Tries) for row in model.objects.values()]
    assert not any(word in text for text in [*kept, caplog.text] for word in (WRONG, "typed-here-by-mistake"))
    assert "an account is closed" in caplog.text


def test_what_no_longer_counts_is_gone(password: str) -> None:
    guessed(2, at=STRANGER)
    later(15)
    guessed(1)
    assert list(Tries.objects.values_list("count", flat=True)) == [1, 1]


def test_redis_is_not_asked(password: str, no_redis: str) -> None:
    guessed(5)
    assert not opens(password)


@pytest.mark.django_db(transaction=True)
def test_of_many_tries_at_once_five_are_made(password: str) -> None:
    at_once(8, lambda: tried(WRONG))
    assert sorted(reasons()) == ["locked"] * 3 + ["password"] * 5
    assert AuditEntry.objects.filter(action="sign-in-locked").count() == 1

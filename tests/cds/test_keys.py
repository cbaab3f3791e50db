"""Our keys are published before they are used, and until nobody can hold an older list."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from joserfc import jwt
from joserfc.jwk import KeySet

from cds import keys
from cds.models import AuditEntry, SigningKey

ALGORITHMS = ["ES384", "RS384"]
pytestmark = pytest.mark.django_db


def published(algorithm: str) -> list[str]:
    return [str(key["kid"]) for key in keys.public_keys()["keys"] if key["alg"] == algorithm]


def a_day_later() -> None:
    for row in SigningKey.objects.all():
        SigningKey.objects.filter(pk=row.pk).update(signs_from=row.signs_from - keys.OVERLAP - timedelta(seconds=1))


def test_the_list_holds_both_algorithms_of_smart_and_nothing_private() -> None:
    found = keys.public_keys()["keys"]
    assert {(key["alg"], key["kty"], key["use"]) for key in found} == {("ES384", "EC", "sig"), ("RS384", "RSA", "sig")}
    assert not {"d", "p", "q", "dp", "dq", "qi"} & {name for key in found for name in key}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_next_key_is_published_a_day_before_it_signs(algorithm: str) -> None:
    first = keys.signing_key(algorithm).kid
    keys.rotate()
    assert keys.signing_key(algorithm).kid == first
    (following,) = set(published(algorithm)) - {str(first)}
    a_day_later()
    assert keys.signing_key(algorithm).kid == following


def test_a_replaced_key_is_published_for_another_day_and_then_gone() -> None:
    first = str(keys.signing_key("ES384").kid)
    keys.rotate()
    a_day_later()
    assert first in published("ES384")
    a_day_later()
    keys.rotate()
    assert first not in published("ES384")
    assert len(published("ES384")) == 2


def test_a_compromised_key_is_gone_at_once() -> None:
    first = keys.signing_key("RS384").kid
    keys.rotate(compromised=True)
    assert keys.signing_key("RS384").kid != first
    assert str(first) not in published("RS384")


def test_a_private_key_never_stands_readable_in_the_database() -> None:
    key = keys.signing_key("ES384")
    with connection.cursor() as cursor:
        cursor.execute("SELECT private_jwk FROM cds_signingkey")
        stored = b"".join(bytes(row[0]) for row in cursor.fetchall())
    assert str(key.as_dict(private=True)["d"]).encode() not in stored


def test_the_command_says_when_each_new_key_is_used_and_the_audit_trail_keeps_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call_command("rotate_keys")
    said = capsys.readouterr().out
    for row in SigningKey.objects.filter(signs_from__gt=timezone.now()):
        assert f"{row}, in use from {row.signs_from:%Y-%m-%d %H:%M} UTC" in said
        assert AuditEntry.objects.filter(action="rotate-key", subject=str(row)).exists()


def test_the_command_replaces_compromised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    before = set(published("ES384"))
    call_command("rotate_keys", "--compromised")
    assert not before & set(published("ES384"))
    assert capsys.readouterr().out.count("in use from") == 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_who_reads_the_list_can_check_what_the_key_signs(algorithm: str) -> None:
    key = keys.signing_key(algorithm)
    signed = jwt.encode({"alg": algorithm, "kid": key.kid}, {"sub": "bedside"}, key, algorithms=[algorithm])
    published_keys = KeySet.import_key_set(keys.public_keys())
    assert jwt.decode(signed, published_keys, algorithms=[algorithm]).claims["sub"] == "bedside"
    assert not any(one.is_private for one in published_keys)

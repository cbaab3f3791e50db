"""Our signing keys: with them we prove to EHRs who asks (SMART App Launch 2.2, "Client Authentication: Asymmetric").

A key is published before it is used and after it is replaced, each for longer than anybody should cache a JWKS.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

import msgspec
from django.utils import timezone
from joserfc.jwk import DictKey, ECKey, KeySetSerialization, RSAKey

from cds.models import SigningKey

CACHED = timedelta(hours=1)  # what we tell those who read our JWKS
OVERLAP = timedelta(days=1)  # some keep it longer than they are told

_MAKERS: dict[str, Callable[[], ECKey | RSAKey]] = {
    "ES384": lambda: ECKey.generate_key("P-384", {"use": "sig", "alg": "ES384"}, auto_kid=True),
    "RS384": lambda: RSAKey.generate_key(3072, {"use": "sig", "alg": "RS384"}, auto_kid=True),
}
_PUBLIC = frozenset("kty n e crv x y kid use alg".split())  # RFC 7517, 4; RFC 7518, 6


def public_keys() -> KeySetSerialization:
    """The JWKS: next, current and last key of each algorithm; nothing private."""
    _require_first_keys()
    return {"keys": [_public_part(row) for row in SigningKey.objects.order_by("-signs_from")]}


def signing_key(algorithm: str) -> ECKey | RSAKey:
    """The one in use."""
    _require_first_keys()
    in_use = SigningKey.objects.filter(algorithm=algorithm, signs_from__lte=timezone.now())
    return _parsed(algorithm, bytes(in_use.latest("signs_from").private_jwk))


def rotate(*, compromised: bool = False) -> list[SigningKey]:
    """Make the next keys and forget those that nobody needs any more.

    `compromised`: the new ones sign at once and all others are gone; EHRs refuse us until they read our JWKS again.
    """
    now = timezone.now()
    if compromised:
        SigningKey.objects.all().delete()
    else:
        _forget_replaced()
    return [_make(algorithm, signs_from=now if compromised else now + OVERLAP) for algorithm in _MAKERS]


def _forget_replaced() -> None:
    """Keep of each algorithm what signed within the overlap, and everything newer."""
    for algorithm in _MAKERS:
        rows = SigningKey.objects.filter(algorithm=algorithm)
        settled = rows.filter(signs_from__lte=timezone.now() - OVERLAP).order_by("-signs_from").first()
        if settled is not None:
            rows.filter(signs_from__lt=settled.signs_from).delete()


def _require_first_keys() -> None:
    """The very first key is used at once: nobody can have cached a JWKS without it."""
    known = set(SigningKey.objects.values_list("algorithm", flat=True))
    for algorithm in _MAKERS:
        if algorithm not in known:
            _make(algorithm, signs_from=timezone.now())


def _make(algorithm: str, *, signs_from: datetime) -> SigningKey:
    key = _MAKERS[algorithm]()
    private = msgspec.json.encode(key.as_dict(private=True))
    return SigningKey.objects.create(kid=str(key.kid), algorithm=algorithm, private_jwk=private, signs_from=signs_from)


def _public_part(row: SigningKey) -> DictKey:
    """Chosen by name, and no key made of it: an RSA key is proved whenever it is made, which takes a tenth of a second."""
    return {name: value for name, value in msgspec.json.decode(row.private_jwk).items() if name in _PUBLIC}


@lru_cache(maxsize=len(_MAKERS))
def _parsed(algorithm: str, private_jwk: bytes) -> ECKey | RSAKey:
    kind = ECKey if algorithm.startswith("ES") else RSAKey
    return kind.import_key(msgspec.json.decode(private_jwk))

"""A caller's public keys: pasted into its row, or read from its address and kept no longer than it says.

SMART App Launch 2.2, "Client Authentication: Asymmetric": exactly one key of the assertion's `kid` and type counts.
"""

from __future__ import annotations

import hashlib

import requests
from django.core.cache import caches
from joserfc.jwk import ECKey, Key, RSAKey

from cds.errors import FhirError, Refused
from cds.http import bounded
from cds.public_keys import max_age, read_keys
from smartapp.backend.models import KEY_TYPES, BackendClient

USUAL_SECONDS, LONGEST_SECONDS = 300, 86_400
AGAIN_SECONDS = 10  # an unknown kid makes us read the keys again, and a failure try again, this often at most
ANSWER_SECONDS = 3
MOST_BYTES, MOST_KEYS = 65_536, 20
SHORTEST_RSA_BITS = 2048


def key_for(client: BackendClient, *, kid: str, algorithm: str) -> Key:
    """The one published key that fits, else Refused. Two of one kid are an error of theirs, not a choice of ours."""
    found = _fitting(_known(client), kid, algorithm)
    if not found and client.jwks_url and caches["process"].add(f"{_place(client)}:again", 1, AGAIN_SECONDS):
        found = _fitting(_read(client), kid, algorithm)
    if len(found) != 1:
        raise Refused("no such key" if not found else "several keys of this kid")
    return found[0]


def usable_keys(content: bytes) -> tuple[Key, ...]:
    """The public signature keys of a set. ValueError if it is no set, or holds more than a client can need."""
    keys = read_keys(content)
    if len(content) > MOST_BYTES or len(keys) > MOST_KEYS:
        raise ValueError("too many keys")
    return tuple(key for key in keys if not key.is_private and key.get("use", "sig") == "sig" and _strong(key))


def _strong(key: Key) -> bool:
    if isinstance(key, RSAKey):
        return key.raw_value.key_size >= SHORTEST_RSA_BITS
    return isinstance(key, ECKey) and key.curve_name == "P-384"


def _fitting(keys: tuple[Key, ...], kid: str, algorithm: str) -> list[Key]:
    return [key for key in keys if key.kid == kid and key.key_type == KEY_TYPES[algorithm]]


def _known(client: BackendClient) -> tuple[Key, ...]:
    if not client.jwks_url:
        return _usable(client.jwks.encode())
    content = caches["process"].get(_place(client))
    return _usable(content) if content else _read(client)


def _read(client: BackendClient) -> tuple[Key, ...]:
    """Over the network. After a failure nobody tries for a moment: each try may cost a thread its time-out."""
    place = _place(client)
    if caches["process"].get(f"{place}:failed"):
        raise Refused("the caller's keys could not be read a moment ago")
    try:
        content, seconds = _fetched(client)
        keys = _usable(content)
    except (FhirError, Refused) as error:
        caches["process"].set(f"{place}:failed", 1, AGAIN_SECONDS)
        raise Refused(f"the caller's keys cannot be read: {type(error).__name__}") from error
    caches["process"].set(place, content, seconds)
    caches["process"].add(f"{place}:again", 1, AGAIN_SECONDS)
    return keys


def _fetched(client: BackendClient) -> tuple[bytes, int]:
    """The set, and for how many seconds it may be kept."""
    url, private = client.jwks_url, client.ehr.private_network
    with bounded(requests.Session(), origins=(url,), private_network=private, seconds=ANSWER_SECONDS) as session:
        answer = session.get(url, headers={"Accept": "application/json"})
    if answer.status_code != 200:
        raise FhirError("no keys", url=url, http_status=answer.status_code)
    said = max_age(answer.headers.get("Cache-Control", ""))
    return answer.content, USUAL_SECONDS if said is None else min(said, LONGEST_SECONDS)


def _usable(content: bytes) -> tuple[Key, ...]:
    try:
        return usable_keys(content)
    except ValueError as error:
        raise Refused("the caller's keys are no set of keys") from error


def _place(client: BackendClient) -> str:
    """In memory; another address is another place."""
    return f"backend:jwks:{client.pk}:{hashlib.sha256(client.jwks_url.encode()).hexdigest()[:16]}"

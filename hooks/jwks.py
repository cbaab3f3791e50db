"""The EHR's public keys: read from the registered address only, kept as long as it says, read again no more than needed."""

from __future__ import annotations

import hashlib

import requests
from joserfc.jwk import Key

from cds.errors import FhirError, Refused
from cds.http import bounded
from cds.models import Ehr
from cds.public_keys import max_age, read_keys
from hooks import memory

SHORTEST_SECONDS, USUAL_SECONDS, LONGEST_SECONDS = 60, 300, 86_400
AGAIN_SECONDS = 10  # an unknown kid makes us read the keys again, and a failure try again, this often at most


def key_for(ehr: Ehr, *, kid: str, key_type: str) -> Key:
    """The one published key of this kid and type, else Refused."""
    for read in (_at_hand, _kept, _read_again):
        found = [key for key in read(ehr) if key.kid == kid and key.key_type == key_type]
        if len(found) == 1:
            return found[0]
    raise Refused("no such key")


def seconds_to_keep(cache_control: str) -> int:
    """max-age within our bounds: a day at most, so that a withdrawn key dies; a minute at least, for the EHR's sake."""
    said = max_age(cache_control)
    return USUAL_SECONDS if said is None else min(max(said, SHORTEST_SECONDS), LONGEST_SECONDS)


def _at_hand(ehr: Ehr) -> tuple[Key, ...]:
    """What this process has read or seen lately, so that most calls ask nobody."""
    text = memory.recall_here(_place(ehr))
    return read_keys(str(text).encode()) if text else ()


def _kept(ehr: Ehr) -> tuple[Key, ...]:
    text = memory.recall(_place(ehr))
    if not text:
        return _read(ehr)
    memory.keep_here(_place(ehr), text, seconds=SHORTEST_SECONDS)
    return read_keys(str(text).encode())


def _read_again(ehr: Ehr) -> tuple[Key, ...]:
    """The EHR may have published a key since; but whoever sends unknown kids must not make us ask all the time."""
    return _read(ehr) if memory.recall(f"{_place(ehr)}:read") is None else ()


def _read(ehr: Ehr) -> tuple[Key, ...]:
    """Over the network. After a failure nobody tries for a moment: each try may cost a thread its time-out."""
    place = _place(ehr)
    if memory.recall(f"{place}:failed"):
        raise Refused("the EHR's keys could not be read a moment ago")
    memory.keep(f"{place}:read", 1, seconds=AGAIN_SECONDS)
    try:
        text, seconds = _fetched(ehr)
        keys = read_keys(text.encode())
    except (FhirError, ValueError) as error:
        memory.keep(f"{place}:failed", 1, seconds=AGAIN_SECONDS)
        raise Refused(f"the EHR's keys cannot be read: {type(error).__name__}") from error
    memory.keep(place, text, seconds=seconds)
    return keys


def _fetched(ehr: Ehr) -> tuple[str, int]:
    with bounded(requests.Session(), origins=(ehr.hook_jwks_url,), private_network=ehr.private_network) as session:
        answer = session.get(ehr.hook_jwks_url)
    if answer.status_code != 200:
        raise FhirError("no keys", url=ehr.hook_jwks_url, http_status=answer.status_code)
    return answer.text, seconds_to_keep(answer.headers.get("Cache-Control", ""))


def _place(ehr: Ehr) -> str:
    """In memory; another address is another place."""
    return f"hooks:jwks:{ehr.pk}:{hashlib.sha256(ehr.hook_jwks_url.encode()).hexdigest()[:16]}"

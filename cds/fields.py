"""Model fields that are encrypted at rest."""

from __future__ import annotations

import base64
import hashlib
import zlib
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models


@lru_cache
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    """The first key encrypts, all decrypt: rotate by putting a new one in front."""
    digests = (hashlib.sha256(key.encode()).digest() for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


class EncryptedField(models.BinaryField):  # type: ignore[type-arg]
    """Bytes in, bytes out; compressed, then encrypted with FIELD_KEYS on the way to the database."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is not None:
            value = _cipher(tuple(settings.FIELD_KEYS)).encrypt(zlib.compress(bytes(value), 1))
        return super().get_db_prep_value(value, connection, prepared)

    def from_db_value(self, value: Any, *_: Any) -> bytes | None:
        return None if value is None else zlib.decompress(_cipher(tuple(settings.FIELD_KEYS)).decrypt(bytes(value)))

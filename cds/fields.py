"""Model fields that are encrypted at rest."""

from __future__ import annotations

import base64
import hashlib
import zlib
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models, transaction


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
        return None if value is None else opened(value)


def opened(stored: Any) -> bytes:
    """What an EncryptedField keeps, decrypted; InvalidToken if none of FIELD_KEYS fits."""
    return zlib.decompress(_cipher(tuple(settings.FIELD_KEYS)).decrypt(bytes(stored)))


def rotate(model: type[models.Model], *, batch: int = 500) -> int:
    """Encrypt every row with the newest of FIELD_KEYS; how many were not yet. Stopped half-way, it goes on where it was."""
    fields = [field for field in model._meta.local_fields if isinstance(field, EncryptedField)]
    rows = model._default_manager.annotate(
        **{
            f"raw_{field.name}": models.ExpressionWrapper(models.F(field.name), models.BinaryField())
            for field in fields
        }
    )
    count, after = 0, None
    while found := _next(rows, after=after, batch=batch) if fields else []:
        with transaction.atomic():
            for row in rows.select_for_update().filter(pk__in=found):
                old = {field.name: getattr(row, field.name) for field in fields if _outdated(row, field.name)}
                if old:  # writing a value encrypts it anew
                    model._default_manager.filter(pk=row.pk).update(**old)
                    count += 1
        after = found[-1]
    return count


def _next(rows: models.QuerySet[models.Model], *, after: Any, batch: int) -> list[Any]:
    later = rows.filter(pk__gt=after) if after is not None else rows
    return list(later.order_by("pk").values_list("pk", flat=True)[:batch])


def _outdated(row: models.Model, name: str) -> bool:
    token = getattr(row, f"raw_{name}")
    if token is None:
        return False
    try:
        _cipher(tuple(settings.FIELD_KEYS[:1])).decrypt(bytes(token))
    except InvalidToken:
        return True
    return False

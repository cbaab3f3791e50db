"""Keys of ours, with which we prove to EHRs who asks."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from cds.fields import EncryptedField


class SigningKey(models.Model):
    """A key of ours, with which we prove to EHRs who asks; published at once, used from `signs_from`, never edited."""

    kid = models.CharField(max_length=64, unique=True)
    algorithm = models.CharField(max_length=5)
    private_jwk = EncryptedField()
    signs_from = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.algorithm} {self.kid}"

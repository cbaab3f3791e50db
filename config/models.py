"""Wrong passwords at the administrators' sign-in, as long as they count."""

from __future__ import annotations

from django.db import models


class Tries(models.Model):
    """Of one account, from one address or (`place` empty) from all. Account and address are keyed hashes."""

    account = models.CharField(max_length=64)
    place = models.CharField(max_length=64, blank=True)
    count = models.PositiveIntegerField(default=0)
    until = models.DateTimeField(db_index=True, help_text="When they are forgotten, and a closed account opens again.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "place"], name="config_tries_once")]

    def __str__(self) -> str:
        return f"{self.count} tries until {self.until:%Y-%m-%d %H:%M:%S}"

"""Reads the environment; rubbish in it stops the start."""

from __future__ import annotations

import math
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """The variable, or `default` where it is unset or empty."""
    return os.environ.get(name) or default


def flag(name: str, *, default: bool = False) -> bool:
    """1/true/yes/on or 0/false/no/off."""
    value = text(name, str(int(default))).lower()
    if value not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}")
    return value in {"1", "true", "yes", "on"}


def number(name: str, default: float) -> float:
    """A number that is not negative."""
    value = text(name, str(default))
    try:
        parsed = float(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a number, not {value!r}") from error
    if not (math.isfinite(parsed) and parsed >= 0):
        raise ImproperlyConfigured(f"{name} must be a number from 0 on, not {value!r}")
    return parsed


def words(name: str, default: str = "") -> list[str]:
    """A list separated by commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def pairs(name: str) -> dict[str, str]:
    """A list of `left=right`, separated by commas."""
    found = [word.partition("=") for word in words(name)]
    if wrong := [left for left, sign, right in found if not (sign and left.strip() and right.strip())]:
        raise ImproperlyConfigured(f"{name}: {', '.join(wrong)} stands without its other half")
    return {left.strip(): right.strip() for left, _, right in found}


def given(name: str) -> str:
    """The variable, or the file that `NAME_FILE` names, or nothing."""
    if path := text(f"{name}_FILE"):
        return Path(path).read_text().strip()
    return text(name)


def secret(name: str, *, kept_in: Path) -> str:
    """What is given, or one made once and kept (embedded mode)."""
    if value := given(name):
        return value
    kept = kept_in / name.lower()
    if not kept.exists():
        kept_in.mkdir(parents=True, exist_ok=True)
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(48))
    return kept.read_text().strip()

"""The product's settings, and two more addresses that show what a layer costs."""

from __future__ import annotations

from config.settings import *  # noqa: F403

ROOT_URLCONF = "bench.urls"

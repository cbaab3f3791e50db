"""Brings the commands that start more than one part: only `config` may know the demo EHR."""

from __future__ import annotations

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

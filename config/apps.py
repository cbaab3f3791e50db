"""Brings what needs every part: the commands that start more than one, and the admin's first page."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin import apps as django_admin


class ConfigConfig(AppConfig):
    name = "config"
    default = True  # of the two in this module


class SiteConfig(django_admin.AdminConfig):
    """Django's admin with our site."""

    default_site = "config.site.Site"
    default = False

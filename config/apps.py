"""Brings what needs every part: the commands that start more than one, and the admin's first page."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.contrib.admin import apps as django_admin
from django.db.models.signals import post_migrate


class ConfigConfig(AppConfig):
    name = "config"
    default = True  # of the two in this module

    def ready(self) -> None:
        """The roles need every app's permissions, so they are made after the last app that has tables."""
        from config import checks  # noqa: F401 -- registers
        from config.roles import make_roles

        last = [app for app in apps.get_app_configs() if app.models_module is not None][-1]
        post_migrate.connect(make_roles, sender=last)


class SiteConfig(django_admin.AdminConfig):
    """Django's admin with our site."""

    default_site = "config.site.Site"
    default = False

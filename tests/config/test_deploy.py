"""The compose file: what the settings route somewhere is taken by somebody who can do it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.urls import reverse

from config.settings import BASE_DIR

DEPLOY = BASE_DIR / "deploy"


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def queues_of(service: dict[str, Any]) -> set[str]:
    taken = re.search(r"worker .*--queues (\S+)", str(service.get("command", "")))
    return set(taken[1].split(",")) if taken else set()


def test_each_queue_has_a_worker(services: dict[str, Any]) -> None:
    taken = [queue for service in services.values() for queue in queues_of(service)]
    assert sorted(taken) == sorted(queue.name for queue in settings.CELERY_TASK_QUEUES)


def test_the_proxy_lets_uploads_of_populations_through_and_keeps_none_of_them() -> None:
    """What is too long is refused by us, with a reason (tests/smartapp/backend/batch/test_kick_off.py)."""
    found = re.search(r"location /api/fhir/ \{(.*?)\n    \}", (DEPLOY / "nginx.conf").read_text(), re.DOTALL)
    assert found
    assert reverse("score-batch").startswith("/api/fhir/")
    for line in ("client_max_body_size 0;", "proxy_request_buffering off;", "proxy_http_version 1.1;"):
        assert line in found[1]


def test_who_trains_has_the_packages_for_it_and_nobody_else_is_asked_to(services: dict[str, Any]) -> None:
    for service in services.values():
        given = service.get("build", {}).get("args", {}).get("REQUIREMENTS", "requirements-run.lock")
        assert ("training" in queues_of(service)) == ("scikit-learn==" in (BASE_DIR / given).read_text())

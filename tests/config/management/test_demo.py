"""`manage.py demo` says in one sentence why it cannot start."""

from __future__ import annotations

import socket

import pytest
from django.core.management import CommandError

from config.management.commands.demo import free_port


def test_a_port_that_somebody_listens_at_is_not_shared() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} cannot be used"):
            free_port(f"http://localhost:{port}")
    assert free_port(f"http://localhost:{port}") == port


@pytest.mark.parametrize("url", ["localhost:8000", "http://localhost:99999", "http://localhost:port", "http://"])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(CommandError, match="BASE_URL"):
        free_port(url)

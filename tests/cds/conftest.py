"""A hospital on the network that a test can make say anything, as the launch's tests have it."""

from __future__ import annotations

from tests.smartapp.conftest import browser, other_ehr, stranger  # noqa: F401

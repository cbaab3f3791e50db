"""The shipped model, loaded once."""

from __future__ import annotations

import pytest

from scoring.shelf import Model
from scoring.shipped import shipped_model


@pytest.fixture(scope="session")
def model() -> Model:
    return shipped_model("hypertension-risk")

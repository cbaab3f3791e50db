"""The product's settings with the demo hospital on; everything kept goes to a folder of the tests' own."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("DEMO_EHR", "1")
os.environ.setdefault("BEDSIDE_HOME", str(Path(__file__).resolve().parent.parent / "var" / "test"))

from config.settings import *  # noqa: F403

STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405 -- WhiteNoise warns of a missing folder

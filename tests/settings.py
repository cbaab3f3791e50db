"""The product's settings with the demo hospital on; everything kept goes to a folder of the tests' own.

Several processes run the tests (pytest-xdist): each has a folder, a database and a Redis database to itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("DEMO_EHR", "1")
os.environ.setdefault("BEDSIDE_HOME", str(Path(__file__).resolve().parent.parent / "var" / "test"))

SHARED_HOME = Path(os.environ.setdefault("TESTS_HOME", os.environ["BEDSIDE_HOME"]))
_process = os.environ.get("PYTEST_XDIST_WORKER", "")
if _process and os.environ["BEDSIDE_HOME"] == str(SHARED_HOME):  # else a process that a test started: it has it already
    os.environ["BEDSIDE_HOME"] = str(SHARED_HOME / _process)
    if "REDIS_URL" in os.environ:
        _redis = urlsplit(os.environ["REDIS_URL"])
        _database = int(_redis.path.strip("/") or 0) - int(_process.removeprefix("gw"))
        os.environ["REDIS_URL"] = _redis._replace(path=f"/{_database % 16}").geturl()

from config.settings import *  # noqa: E402, F403

STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405 -- WhiteNoise warns of a missing folder
WHITENOISE_AUTOREFRESH = True  # a file is looked for when it is asked for, and not all of them for each test client

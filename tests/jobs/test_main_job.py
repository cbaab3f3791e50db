"""`manage.py demo --check`, as a newcomer runs it: every step, in a process and a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from config.main_job import STEPS

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"


def test_the_main_job_is_played_to_its_end() -> None:
    # On the embedded defaults always: a worker of the tests on the same Redis would take its messages.
    alone = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    command = [sys.executable, str(MANAGE), "demo", "--check"]
    done = subprocess.run(command, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith("ok ")]
    assert len(told) == len(STEPS)

"""SIGKILL in the middle of a block, then the same run again: everybody once, written once. In processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smartapp.demo_ehr.cast import read_cast

PROJECT = Path(__file__).resolve().parents[3]
COPIES = 40
SPREAD = """
import sys
import django
django.setup()
from cds.population import spool
spool.PART = int(sys.argv[2])
"""
BEGIN = """
from pathlib import Path
from django.core.management import call_command
call_command("migrate", verbosity=0)
from cds import registry
from cds.models import Ehr, EnabledService
from cds.population import Progress, open_run, sweep
ehr = Ehr.objects.create(name="E", fhir_base="https://e.example/fhir", hook_issuer="https://e.example", active=True)
EnabledService.objects.update_or_create(
    ehr=ehr, service_id="diabetes-risk", defaults={"stage": "live", "write_back": "auto"}
)
run = open_run(registry.get("diabetes-risk"), ehr=ehr, detail=sys.argv[1])
for step in sweep(run, Path(sys.argv[1]), block=5):
    if isinstance(step, Progress):
        print(step.done, flush=True)
"""
GO_ON = """
import json
from collections import Counter
from pathlib import Path
from cds.models import Assessment, AuditEntry, PopulationRun, WriteBack
from cds.population import sweep, unfinished
(run,) = unfinished()
before = dict(run.results.values_list("pseudonym", "pk"))
for _ in sweep(run, Path(sys.argv[1]), block=5):
    pass
after = dict(run.results.values_list("pseudonym", "pk"))
print(json.dumps({
    "before": len(before),
    "kept": before.items() <= after.items(),
    "state": run.state,
    "patients": [run.patients, run.done, len(after)],
    "reasons": Counter(run.results.values_list("reason", flat=True)),
    "alerts": run.results.filter(alerts=True).count(),
    "predicted": AuditEntry.objects.filter(action="predict").count(),
    "assessments": Assessment.objects.count(),
    "written": WriteBack.objects.count(),
    "about": WriteBack.objects.values("assessment", "target").distinct().count(),
    "left": run.spool.exists(),
}))
"""


def export(folder: Path) -> None:
    """Many of the cast, each with a name of its own."""
    text = "\n".join(json.dumps(one) for one in read_cast())
    names = ("ada", "bruno", "chen", "dara", "emil", "farah")
    with (folder / "all.ndjson").open("w") as file:
        for copy in range(COPIES):
            copied = text
            for name in names:
                copied = copied.replace(f'"Patient/{name}"', f'"Patient/{name}{copy}"')
                copied = copied.replace(f'"id": "{name}"', f'"id": "{name}{copy}"')
            file.write(copied + "\n")


@pytest.mark.timeout(400)  # several interpreters, and all migrations
@pytest.mark.parametrize("part", [16_000_000, 20_000], ids=["in one process", "in several"])
def test_after_a_sigkill_nobody_is_scored_or_written_twice_and_nobody_is_missing(part: int, tmp_path: Path) -> None:
    folder = tmp_path / "bulk"
    folder.mkdir()
    export(folder)
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    environment |= {"BEDSIDE_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}
    given = (str(folder), str(part))
    _kill_after(60, [sys.executable, "-c", SPREAD + BEGIN, *given], environment)

    command = [sys.executable, "-c", SPREAD + GO_ON, *given]
    found = subprocess.run(command, env=environment, cwd=PROJECT, check=True, capture_output=True)
    said: dict[str, Any] = json.loads(found.stdout)
    assert 60 <= said["before"] < 6 * COPIES
    assert said["kept"]
    assert said["state"] == "done"
    assert said["patients"] == [6 * COPIES] * 3
    assert set(said["reasons"].values()) == {COPIES}
    assert said["assessments"] == said["predicted"] >= said["alerts"] > 0
    assert said["written"] == said["about"] == 2 * said["assessments"]  # chart and archive
    assert not said["left"]


def _kill_after(done: int, command: list[str], environment: dict[str, str]) -> None:
    """Wherever the process happens to be then."""
    with subprocess.Popen(command, env=environment, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(int(line) >= done for line in process.stdout)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

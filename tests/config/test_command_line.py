"""The command line says in one sentence what to do about a database that cannot be used, and fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from scoring.management.database import what_to_do

COMMANDS = (("score_population", "--source", "tests"), ("replay", "6f3c1a36-3d5f-4a30-9a53-0a8a2d4f7c11"))


def said(command: tuple[str, ...], home: Path, *, database: str) -> tuple[int, list[str]]:
    """Its exit status, and what stands on its error stream."""
    env = {**os.environ, "BEDSIDE_HOME": str(home), "DATABASE_URL": database, "DATABASE_WAIT": "0.5", "REDIS_URL": ""}
    arguments = [sys.executable, "manage.py", *command]
    done = subprocess.run(arguments, cwd=settings.BASE_DIR, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_tables_that_are_missing_are_said(command: tuple[str, ...], tmp_path: Path) -> None:
    status, (line,) = said(command, tmp_path, database=f"sqlite:///{tmp_path}/empty.sqlite3")
    assert status == 1
    assert line.endswith("lacks tables of this version: run manage.py migrate.")


@pytest.mark.parametrize("command", [*COMMANDS, ("migrate",)], ids=lambda command: command[0])
def test_a_database_that_does_not_answer_is_said(command: tuple[str, ...], tmp_path: Path) -> None:
    status, (line,) = said(command, tmp_path, database="postgres://bedside:secret@127.0.0.1:1/bedside")
    assert status == 1
    assert line.endswith("The database at 127.0.0.1 cannot be reached: start it, or correct DATABASE_URL.")


def test_a_database_that_is_whole_is_not_blamed(db: None) -> None:
    assert what_to_do() == ""

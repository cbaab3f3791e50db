"""manage.py: whatever the command, a database that cannot be used is one sentence and exit status 1, and no traceback."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from django.core.management import execute_from_command_line
from django.db import InterfaceError, OperationalError, ProgrammingError


def run(arguments: Sequence[str]) -> None:
    """Other errors of the database are faults of ours, and stay what they are."""
    os.environ.setdefault("DATABASE_WAIT", "5")  # seconds: somebody sits before it
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it would tell of every try
    try:
        execute_from_command_line(list(arguments))
    except (OperationalError, InterfaceError, ProgrammingError):
        from scoring.management.database import what_to_do

        sentence = what_to_do()
        if not sentence:
            raise
        sys.exit(sentence)

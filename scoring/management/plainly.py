"""What goes wrong in a long command, told in one sentence and without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError

from scoring.errors import ScoringError
from scoring.management.database import what_to_do

INTERRUPTED = 130  # what a shell reports of Ctrl-C


@contextmanager
def plainly(*, interrupted: str = "interrupted; nothing was written") -> Iterator[None]:
    try:
        yield
    except ScoringError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error
    except DatabaseError as error:
        said = what_to_do() or f"the database cannot be read: {str(error).splitlines()[0]}"
        raise CommandError(said) from error
    except ModuleNotFoundError as error:
        raise CommandError(f"{error.name} is not installed: it comes with the extra `train`") from error
    except KeyboardInterrupt as error:
        raise CommandError(interrupted, returncode=INTERRUPTED) from error

"""A process of its own that shows a token when it is told to: `python -m tests.hooks.strike`."""

from __future__ import annotations

import sys

import django


def strike() -> None:
    """Says when it is ready; then reads a token and its audience, and says what became of them."""
    from cds.errors import Refused
    from hooks.trust import trust

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    token, audience = sys.stdin.readline().split()
    try:
        trust(token, audience=audience)
        said = "trusted"
    except Refused as error:
        said = str(error)
    sys.stdout.write(f"{said}\n")


if __name__ == "__main__":
    django.setup()
    strike()

"""What stands in an address of ours and opens something is left out of the log."""

from __future__ import annotations

import logging
import re

_TOKEN = re.compile(r"(/subscriptions/)[^/\s?]+")


class SecretAddresses(logging.Filter):
    """Django logs the path of each request that it refuses; that of an end point holds its token."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_TOKEN.sub(r"\1...", one) if isinstance(one, str) else one for one in record.args)
        return True

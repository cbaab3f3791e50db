"""The six people and their hospital, read from `patients/`; dates are relative, so that nobody ages out of a story."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from smartapp.demo_ehr.outcomes import Resource

FOLDER = Path(__file__).parent / "patients"
TOKEN = re.compile(r"\{\{(days|date):(-?\d+)\}\}")


def read_cast(*, now: datetime | None = None) -> list[Resource]:
    """Every resource of every Bundle in the folder, the hospital's own first."""
    today = now or datetime.now(UTC).replace(second=0, microsecond=0)
    paths = sorted(FOLDER.glob("*.json"), key=lambda path: (path.stem != "hospital", path.stem))
    bundles = [json.loads(dated(path.read_text(encoding="utf-8"), today)) for path in paths]
    return [entry["resource"] for bundle in bundles for entry in bundle["entry"]]


def dated(text: str, today: datetime) -> str:
    """`{{days:-40}}` becomes the instant 40 days ago, `{{date:-40}}` its date."""

    def replace(token: re.Match[str]) -> str:
        moment = today + timedelta(days=int(token[2]))
        return moment.isoformat() if token[1] == "days" else moment.date().isoformat()

    return TOKEN.sub(replace, text)

"""What a caller of ours may be allowed, and what of its wish it gets.

Operations have no letter in SMART 2, so ours have scopes of their own, which must be full URIs ("Scopes and Launch
Context", custom scopes). Result files may be read with a covering FHIR scope, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

PREDICT = "https://bedside.dev/scopes/predict"
SCORE_BATCH = "https://bedside.dev/scopes/score.batch"
READ_RESULTS = "system/RiskAssessment.rs"
WORDS = {
    PREDICT: "Ask about one patient (POST /api/predict)",
    SCORE_BATCH: "Score a group or an upload, and read what came of it (POST /api/fhir/$score-batch)",
    READ_RESULTS: "Read the results of its own batches",
}

_VERSION_2 = re.compile(r"system/([A-Z][A-Za-z]*|\*)\.(c?r?u?d?s?)")


def granted(asked: str, allowed: Iterable[str]) -> str:
    """Of what is asked, the part that is allowed, in the order of the asking; "" if nothing is left."""
    kept = [part for scope in asked.split() if (part := _part(scope, list(allowed)))]
    return " ".join(dict.fromkeys(kept))


def _part(scope: str, allowed: list[str]) -> str:
    if scope in allowed:
        return scope
    wish = _VERSION_2.fullmatch(scope)
    for one in allowed if wish else ():
        known = _VERSION_2.fullmatch(one)
        if wish and known and wish[1] in {known[1], "*"}:
            letters = "".join(letter for letter in known[2] if letter in wish[2])
            return f"system/{known[1]}.{letters}" if letters else ""
    return ""

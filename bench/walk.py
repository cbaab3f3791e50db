"""From a prefetch, as dicts, to the model's row: the plain walk that anybody would write, with the checks that count.

Codes by (system, code), usable status, this patient, known unit, plausible value, newest in the look-back, no diabetes
diagnosis. Imports nothing of ours: it also runs inside the peer.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

LOINC = "http://loinc.org"
USABLE = {"final", "amended", "corrected"}
ORDER = (
    "age", "sex", "bmi", "waist", "systolic", "diastolic", "total_cholesterol", "hdl", "triglycerides", "glucose"
)  # fmt: skip
GLUCOSE = {"mg/dL": 1.0, "mmol/L": 18.0156}
CHOLESTEROL = {"mg/dL": 1.0, "mmol/L": 38.665}
LENGTH = {"cm": 1.0, "[in_i]": 2.54, "m": 100.0}
# name: (codes, unit -> factor, lowest, highest, days to look back)
KINDS: dict[str, tuple[tuple[str, ...], dict[str, float], float, float, int]] = {
    "glucose": (("2345-7", "14749-6", "1558-6", "14771-0", "2339-0", "15074-8"), GLUCOSE, 20, 1500, 365),
    "total_cholesterol": (("2093-3", "14647-2"), CHOLESTEROL, 50, 1000, 1095),
    "hdl": (("2085-9", "14646-4"), CHOLESTEROL, 5, 200, 1095),
    "triglycerides": (("2571-8", "14927-8"), {"mg/dL": 1.0, "mmol/L": 88.54}, 10, 10_000, 1095),
    "bmi": (("39156-5",), {"kg/m2": 1.0}, 10, 100, 365),
    "waist": (("8280-0", "56115-9", "56086-2"), LENGTH, 40, 250, 365),
    "systolic": (("8480-6",), {"mm[Hg]": 1.0}, 50, 300, 365),
    "diastolic": (("8462-4",), {"mm[Hg]": 1.0}, 20, 200, 365),
}
WANTED = {(LOINC, code): name for name, kind in KINDS.items() for code in kind[0]}
DIABETES = ("E08", "E09", "E10", "E11", "E13", "44054006", "46635009", "73211009")


def features(prefetch: dict[str, Any]) -> list[float] | None:
    """The row; None for a patient who has the diagnosis already."""
    patient, now = prefetch["patient"], datetime.now(UTC)
    if any(_diabetic(one) for one in _resources(prefetch, "conditions")):
        return None
    newest: dict[str, tuple[datetime, float]] = {}
    for key in ("hba1c", "glucose", "lipids", "vitals"):
        for resource in _resources(prefetch, key):
            _measure(resource, f"Patient/{patient['id']}", now, newest)
    values = {name: value for name, (_, value) in newest.items()}
    values["age"] = float(min(_age(patient["birthDate"], now), 80))
    values["sex"] = {"male": 1.0, "female": 0.0}.get(patient.get("gender", ""), math.nan)
    return [values.get(name, math.nan) for name in ORDER]


def _resources(prefetch: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in (prefetch.get(key) or {}).get("entry", ())]


def _diabetic(condition: dict[str, Any]) -> bool:
    return any(coding.get("code", "").startswith(DIABETES) for coding in condition.get("code", {}).get("coding", ()))


def _measure(resource: dict[str, Any], mine: str, now: datetime, newest: dict[str, tuple[datetime, float]]) -> None:
    if resource.get("status") not in USABLE or resource.get("subject", {}).get("reference") != mine:
        return
    parts = [resource, *resource.get("component", ())]
    for part in parts:
        name = next(
            (
                found
                for coding in part["code"].get("coding", ())
                if (found := WANTED.get((coding.get("system"), coding.get("code"))))
            ),
            None,
        )
        quantity = part.get("valueQuantity")
        if name is None or quantity is None or quantity.get("comparator"):
            continue
        _, units, low, high, days = KINDS[name]
        factor, value = units.get(quantity.get("code") or quantity.get("unit")), quantity.get("value")
        if factor is None or value is None or not low <= value * factor <= high:
            continue
        when = datetime.fromisoformat(resource["effectiveDateTime"])
        if now - timedelta(days=days) <= when <= now and (name not in newest or when > newest[name][0]):
            newest[name] = (when, value * factor)


def _age(birth_date: str, now: datetime) -> int:
    born = datetime.fromisoformat(birth_date)
    return now.year - born.year - ((now.month, now.day) < (born.month, born.day))

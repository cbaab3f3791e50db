"""What is read of MIMIC-III's tables: who stayed when, and what was measured in a window around the admission.

The same text for PostgreSQL and for DuckDB. `$1` and `$2` are the window's hours from the admission, `$3` those up to
which blood must have been drawn.
"""

from __future__ import annotations

from scoring.cohorts.mimic3_measures import CHARTED, LABORATORY
from scoring.cohorts.tables import Columns

TABLES: Columns = {
    "patients": {"subject_id": "BIGINT", "gender": "VARCHAR", "dob": "TIMESTAMP"},
    "admissions": {
        **dict.fromkeys(("subject_id", "hadm_id"), "BIGINT"),
        **dict.fromkeys(("admittime", "dischtime", "deathtime"), "TIMESTAMP"),
        **dict.fromkeys(("admission_type", "ethnicity"), "VARCHAR"),
    },
    "diagnoses_icd": {"hadm_id": "BIGINT", "icd9_code": "VARCHAR"},
    "d_labitems": {"itemid": "BIGINT", "loinc_code": "VARCHAR"},
    "labevents": {
        **dict.fromkeys(("subject_id", "itemid"), "BIGINT"),
        "charttime": "TIMESTAMP",
        "valuenum": "DOUBLE",
        "valueuom": "VARCHAR",
    },
    "chartevents": {
        **dict.fromkeys(("subject_id", "itemid", "error"), "BIGINT"),
        "charttime": "TIMESTAMP",
        "valuenum": "DOUBLE",
    },
}
# Never empty, and the first of each names a row: constraints of the MIMIC Code Repository's schema that files do not have.
ALWAYS = {
    "patients": ("subject_id", "gender", "dob"),
    "admissions": ("hadm_id", "subject_id", "admittime", "dischtime", "admission_type"),
}


def holes(table: str) -> str:
    """One row: how often each of these columns is empty, and how many rows name what another one names."""
    empty = ", ".join(f"COUNT(*) FILTER (WHERE {column} IS NULL)" for column in ALWAYS[table])
    key = ALWAYS[table][0]
    return f"SELECT {empty}, COUNT({key}) - COUNT(DISTINCT {key}) FROM {table}"  # noqa: S608 -- constants of ours


STAYS = """
SELECT a.hadm_id, a.subject_id, p.gender, p.dob, a.admittime, a.admission_type, a.ethnicity,
  EXISTS (SELECT 1 FROM diagnoses_icd d WHERE d.hadm_id = a.hadm_id AND d.icd9_code LIKE '250%') AS diabetes
FROM admissions a JOIN patients p ON p.subject_id = a.subject_id
WHERE LEAST(a.dischtime, COALESCE(a.deathtime, a.dischtime)) >= a.admittime + CAST($1 AS INTEGER) * INTERVAL '1 hour'
ORDER BY a.hadm_id
"""
MEASUREMENTS = f"""
WITH laboratory (loinc_code, measure, unit, low, high) AS (VALUES {LABORATORY}),
charted (itemid, measure, factor, low, high) AS (VALUES {CHARTED})
SELECT a.hadm_id, w.measure, CAST(EXTRACT(EPOCH FROM (e.charttime - a.admittime)) AS DOUBLE PRECISION) AS seconds, e.valuenum
FROM admissions a
JOIN labevents e ON e.subject_id = a.subject_id
  AND e.charttime >= a.admittime + CAST($1 AS INTEGER) * INTERVAL '1 hour'
  AND e.charttime < a.admittime + CAST($3 AS INTEGER) * INTERVAL '1 hour'
JOIN d_labitems d ON d.itemid = e.itemid
JOIN laboratory w ON w.loinc_code = d.loinc_code
WHERE LOWER(e.valueuom) = w.unit AND e.valuenum BETWEEN w.low AND w.high
UNION ALL
SELECT a.hadm_id, w.measure, CAST(EXTRACT(EPOCH FROM (e.charttime - a.admittime)) AS DOUBLE PRECISION), e.valuenum * w.factor
FROM admissions a
JOIN chartevents e ON e.subject_id = a.subject_id
  AND e.charttime >= a.admittime + CAST($1 AS INTEGER) * INTERVAL '1 hour'
  AND e.charttime < a.admittime + CAST($2 AS INTEGER) * INTERVAL '1 hour'
JOIN charted w ON w.itemid = e.itemid
WHERE COALESCE(e.error, 0) = 0 AND e.valuenum * w.factor BETWEEN w.low AND w.high
ORDER BY 1, 2, 3, 4
"""  # noqa: S608 -- constants of ours

"""What is measured in MIMIC-III: laboratory values by LOINC (D_LABITEMS), bedside values by the item ids of D_ITEMS.

A value beyond `plausible` is an error of typing or of an artery line that is being flushed, and is not read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

KG_PER_LB, CM_PER_INCH = 0.45359237, 2.54


@dataclass(frozen=True, kw_only=True)
class Measure:
    """`unit` is that of the features; `items`: item id -> factor from the unit in which it is charted."""

    key: str
    unit: str
    plausible: tuple[float, float]
    loinc: tuple[str, ...] = ()
    items: dict[int, float] = field(default_factory=dict)


# Limits: those of the valid range of Harutyunyan et al., Sci Data 2019;6:96 (their variable_ranges.csv); glucose, pressure,
# weight and height as the diabetes service reads them from a chart, narrower than there, where zero is a pressure.
MEASURES = (
    Measure(key="glucose", unit="mg/dL", plausible=(20, 1500), loinc=("2345-7", "2339-0")),
    Measure(key="creatinine", unit="mg/dL", plausible=(0.1, 60), loinc=("2160-0",)),
    Measure(key="urea_nitrogen", unit="mg/dL", plausible=(0, 250), loinc=("3094-0",)),
    Measure(key="sodium", unit="mEq/L", plausible=(50, 225), loinc=("2951-2",)),
    Measure(key="potassium", unit="mEq/L", plausible=(0, 12), loinc=("2823-3",)),
    Measure(key="bicarbonate", unit="mEq/L", plausible=(0, 60), loinc=("1963-8",)),
    Measure(key="hemoglobin", unit="g/dL", plausible=(0, 25), loinc=("718-7",)),
    Measure(key="white_cells", unit="K/uL", plausible=(0, 1000), loinc=("804-5",)),
    Measure(key="platelets", unit="K/uL", plausible=(0, 2000), loinc=("777-3",)),
    Measure(
        key="systolic",
        unit="mmHg",
        plausible=(50, 300),
        items=dict.fromkeys((51, 442, 455, 6701, 220050, 220179, 225309), 1.0),
    ),
    Measure(
        key="diastolic",
        unit="mmHg",
        plausible=(20, 200),
        items=dict.fromkeys((8368, 8440, 8441, 8555, 220051, 220180, 225310), 1.0),
    ),
    Measure(
        key="weight",
        unit="kg",
        plausible=(25, 400),
        items={**dict.fromkeys((762, 763, 224639, 226512), 1.0), 226531: KG_PER_LB},
    ),
    Measure(
        key="height",
        unit="cm",
        plausible=(100, 250),
        items={**dict.fromkeys((920, 1394, 226707), CM_PER_INCH), 226730: 1.0},
    ),
)
KEYS = tuple(measure.key for measure in MEASURES)


def _values(*rows: tuple[object, ...]) -> str:
    return ", ".join(str(row) for row in rows)


# The same as rows of SQL's VALUES; a measure is named by its place in MEASURES.
LABORATORY = _values(
    *(
        (code, place, one.unit.lower(), *map(float, one.plausible))
        for place, one in enumerate(MEASURES)
        for code in one.loinc
    )
)
CHARTED = _values(
    *(
        (item, place, factor, *map(float, one.plausible))
        for place, one in enumerate(MEASURES)
        for item, factor in one.items.items()
    )
)

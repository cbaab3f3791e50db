"""What is measured: codes, units and plausible limits of each analyte, so that a number never travels without them.

Codes and factors: LOINC, UCUM; limits beyond which a value cannot be a living adult's are engineering choices of ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from cds.codes import Code, loinc

# Units as charts spell them -> UCUM. Anything else is refused, never guessed from the magnitude.
UNIT_ALIASES: Mapping[str, str] = {
    "mg/dl": "mg/dL",
    "MG/DL": "mg/dL",
    "mmol/l": "mmol/L",
    "µmol/L": "umol/L",  # micro sign
    "μmol/L": "umol/L",  # Greek letter
    "umol/l": "umol/L",
    "mL/min/1.73m2": "mL/min/{1.73_m2}",
    "mL/min/1.73 m2": "mL/min/{1.73_m2}",
    "mL/min/1.73m²": "mL/min/{1.73_m2}",
    "mL/min/1.73 m²": "mL/min/{1.73_m2}",
    "mL/min/1.73m^2": "mL/min/{1.73_m2}",
    "mL/min/{1.73m2}": "mL/min/{1.73_m2}",
    "ml/min/{1.73_m2}": "mL/min/{1.73_m2}",
    "mmHg": "mm[Hg]",
    "mm Hg": "mm[Hg]",
    "percent": "%",
    "% of total Hgb": "%",
    "% of total hemoglobin": "%",
    "%{HemoglobinA1C}": "%",
    "kg/m^2": "kg/m2",
    "kg/m²": "kg/m2",
    "lb": "[lb_av]",
    "lbs": "[lb_av]",
    "in": "[in_i]",
    "inch": "[in_i]",
    "inches": "[in_i]",
}


class Analyte(Struct, frozen=True, kw_only=True):
    """One measured thing; values are held in `unit`, converted from any of `units` by (factor, offset).

    `limits`: a result that is only a limit (">60") can be used; its `Quantity` keeps the comparator.
    """

    key: str
    title: str
    codes: frozenset[Code]
    unit: str
    plausible: tuple[float, float]
    units: Mapping[str, tuple[float, float]] = {}
    decimals: int = 0
    limits: bool = False

    def convert(self, value: float, unit: str) -> float | None:
        """`value` in the canonical unit, or None if `unit` is not one of this analyte's."""
        if unit == self.unit:
            return value
        factor, offset = self.units.get(unit, (0.0, 0.0))
        return value * factor + offset if factor else None

    def judged(self, value: float, unit: str) -> float | str:
        """`value` in the canonical unit; or why it cannot be used."""
        canonical = value if unit == self.unit else self.convert(value, unit)
        if canonical is None:
            return f"unit {unit!r} not understood" if unit else "no unit"
        low, high = self.plausible
        return canonical if low <= canonical <= high else f"implausible value {value:g} {unit}"


# Molar masses: glucose 180.156, cholesterol 386.65, triglycerides about 885.4 g/mol. The factor is per analyte.
_GLUCOSE = {"mmol/L": (18.0156, 0.0)}
_CHOLESTEROL = {"mmol/L": (38.665, 0.0)}
_LENGTH = {"[in_i]": (2.54, 0.0), "m": (100.0, 0.0), "mm": (0.1, 0.0)}

HBA1C = Analyte(
    key="hba1c",
    title="HbA1c",
    codes=loinc("4548-4", "17856-6", "17855-8", "4549-2", "59261-8"),
    unit="%",
    plausible=(3, 20),
    units={"mmol/mol": (1 / 10.929, 2.15)},  # IFCC-NGSP master equation
    decimals=1,
    limits=True,
)
GLUCOSE = Analyte(
    key="glucose",
    title="Glucose (plasma or serum)",
    codes=loinc("2345-7", "14749-6"),
    unit="mg/dL",
    plausible=(20, 1500),
    units=_GLUCOSE,
    limits=True,
)
FASTING_GLUCOSE = Analyte(
    key="fasting_glucose",
    title="Fasting plasma glucose",
    codes=loinc("1558-6", "14771-0"),  # only these assert that the patient fasted
    unit="mg/dL",
    plausible=(20, 1500),
    units=_GLUCOSE,
    limits=True,
)
BLOOD_GLUCOSE = Analyte(
    key="blood_glucose",
    title="Glucose (whole blood)",
    codes=loinc("2339-0", "15074-8"),
    unit="mg/dL",
    plausible=(20, 1500),
    units=_GLUCOSE,
)
TOTAL_CHOLESTEROL = Analyte(
    key="total_cholesterol",
    title="Total cholesterol",
    codes=loinc("2093-3", "14647-2"),
    unit="mg/dL",
    plausible=(50, 1000),
    units=_CHOLESTEROL,
)
HDL = Analyte(
    key="hdl",
    title="HDL cholesterol",
    codes=loinc("2085-9", "14646-4"),
    unit="mg/dL",
    plausible=(5, 200),
    units=_CHOLESTEROL,
)
TRIGLYCERIDES = Analyte(
    key="triglycerides",
    title="Triglycerides",
    codes=loinc("2571-8", "14927-8"),
    unit="mg/dL",
    plausible=(10, 10_000),
    units={"mmol/L": (88.54, 0.0)},
)
BMI = Analyte(key="bmi", title="BMI", codes=loinc("39156-5"), unit="kg/m2", plausible=(10, 100), decimals=1)
HEIGHT = Analyte(
    key="height",
    title="Height",
    codes=loinc("8302-2", "8306-3", "8308-9"),
    unit="cm",
    plausible=(100, 250),
    units=_LENGTH,
)
WEIGHT = Analyte(
    key="weight",
    title="Weight",
    codes=loinc("29463-7", "3141-9"),
    unit="kg",
    plausible=(25, 400),
    units={"[lb_av]": (0.45359237, 0.0), "g": (0.001, 0.0)},
)
WAIST = Analyte(
    key="waist",
    title="Waist",
    codes=loinc("8280-0", "56115-9", "56086-2"),  # 56086-2 names a protocol, yet some products store the waist there
    unit="cm",
    plausible=(40, 250),
    units=_LENGTH,
)
SYSTOLIC = Analyte(key="systolic", title="Systolic pressure", codes=loinc("8480-6"), unit="mm[Hg]", plausible=(50, 300))
DIASTOLIC = Analyte(
    key="diastolic", title="Diastolic pressure", codes=loinc("8462-4"), unit="mm[Hg]", plausible=(20, 200)
)
EGFR = Analyte(
    key="egfr",
    title="eGFR",
    # CKD-EPI 2021, CKD-EPI 2009, MDRD. Codes that assume a race are left out: creatinine gives a better answer.
    codes=loinc("98979-8", "62238-1", "33914-3"),
    unit="mL/min/{1.73_m2}",
    plausible=(1, 200),
    units={"mL/min": (1.0, 0.0)},  # these codes are per 1.73 m2 by definition, and many charts write the unit short
    limits=True,
)
CREATININE = Analyte(
    key="creatinine",
    title="Creatinine",
    codes=loinc("2160-0", "38483-4", "14682-9"),
    unit="mg/dL",
    plausible=(0.1, 30),
    units={"umol/L": (1 / 88.40, 0.0)},  # molar mass 113.12 g/mol
    decimals=2,
)

"""Every clinical rule of the service: its numbers, its words for review, its source.

ADA: American Diabetes Association, Standards of Care in Diabetes 2025, section 2 "Diagnosis and Classification".
USPSTF: Prediabetes and Type 2 Diabetes: Screening, 2021 (JAMA 326:736). "Ours": an engineering choice, open to review.
"""

from __future__ import annotations

from datetime import timedelta

from cds import left_out
from cds.facts import Observed, Quantity
from cds.service import Rule

ADA = "ADA Standards of Care 2025, section 2"
USPSTF = "USPSTF 2021, JAMA 326:736"
OURS = "ours"

# ADA, table 2.1. Compared in the unit that was reported, unrounded: 6.5 % is 47.5 mmol/mol, which laboratories print as 48.
DIABETES_HBA1C = {"%": 6.5, "mmol/mol": 48}
PREDIABETES_HBA1C = {"%": 5.7, "mmol/mol": 39}
DIABETES_FASTING_GLUCOSE = {"mg/dL": 126, "mmol/L": 7.0}
RANDOM_GLUCOSE = {"mg/dL": 200, "mmol/L": 11.1}

RED_CELL_DAYS = 120  # the life span of a red cell
DRUG_LOOK_BACK_MONTHS = 12
STEROID_DAYS = 30  # after a prescription that names no end
RANDOM_GLUCOSE_MONTHS = 12
RETEST_PREDIABETES_MONTHS = 12
SILENT_MONTHS = 36
TRUTH_DAYS = 180  # a result within half a year tells of the day of the question; later it may tell of a new disease
# How long the overridden rule is silent about this patient. "The data is wrong" silences nothing: somebody must look.
SNOOZES = {
    "already-known": timedelta(days=365),
    "already-ordered": timedelta(days=30),  # an order that the record does not show; later it would have a result
    "hba1c-unreliable": timedelta(days=180),
    "acutely-ill": timedelta(days=30),
    "patient-declined": timedelta(days=180),
}
SCREENING_AGE = (35, 70)
SCREENING_BMI, SCREENING_BMI_ASIAN = 25.0, 23.0
THRESHOLD = 0.10
REPORT_LOOK_BACK = timedelta(days=366)  # as far back as a BMI counts
LOOK_BACK_MONTHS = {
    "glucose": 12,
    "bmi": 12,
    "waist": 12,
    "systolic": 12,
    "diastolic": 12,
    "total_cholesterol": 36,
    "hdl": 36,
    "triglycerides": 36,
}

RULES = (
    Rule(
        key="diagnosed",
        text="Diabetes is on the record, active or resolved: the question does not arise. A provisional or "
        "rule-out entry does not count; prediabetes and gestational diabetes are not diabetes.",
        source=ADA,
    ),
    Rule(
        key="treated",
        text="A glucose-lowering drug is active or was prescribed within 12 months: not asked; the page names the drug.",
        source=OURS,
    ),
    left_out.CHILD,
    left_out.AGE_UNKNOWN,
    left_out.DECEASED,
    Rule(
        key="pregnant",
        text="Pregnant, or up to 12 weeks after: not asked; pregnancy has its own tests and cut-offs. A pregnancy that "
        "nobody closed ends with a delivery, a later 'not pregnant', or after 42 weeks.",
        source=ADA,
    ),
    left_out.HOSPICE,
    Rule(
        key="in-hospital",
        text="The encounter is inpatient, acute, emergency or observation: not asked; acute illness raises glucose.",
        source=OURS,
    ),
    Rule(
        key="hba1c-unreliable",
        text="HbA1c is not interpreted in sickle-cell disease, G6PD deficiency or haemodialysis, nor within 120 days "
        "after a transfusion, blood loss or erythropoietin: fasting plasma glucose is suggested instead. A single "
        "dialysis counts for 120 days, dialysis on the problem list as long as it stands there.",
        source=ADA,
    ),
    Rule(
        key="snoozed",
        text="A card overridden with a reason stays away, while the same rule applies: 12 months if it is known, 6 months "
        "if the patient declined or HbA1c is unreliable, 30 days if acutely ill or ordered already. The page answers.",
        source=OURS,
    ),
    Rule(
        key="hba1c-doubtful",
        text="Other anaemia, a haemoglobin variant, or chronic kidney disease stage 4-5: HbA1c is interpreted, "
        "with a warning.",
        source=ADA,
    ),
    Rule(
        key="criteria-twice",
        text="HbA1c of 6.5 % (48 mmol/mol) or more on two days ever, or once with a fasting plasma glucose of "
        "126 mg/dL (7.0 mmol/L) or more, or such a fasting glucose on two days: criteria met twice, no diagnosis "
        "recorded. No order. A newer, lower value never hides it. Two results of one day count once; a partial date "
        "that may be the same day is taken for the same day.",
        source=ADA,
    ),
    Rule(
        key="confirm-hba1c",
        text="HbA1c of 6.5 % or more once, ever: confirm with a second test.",
        source=ADA,
    ),
    Rule(
        key="confirm-fasting-glucose",
        text="Fasting plasma glucose of 126 mg/dL or more once; only a code that asserts fasting counts: confirm.",
        source=ADA,
    ),
    Rule(
        key="ask-symptoms",
        text="Any plasma or serum glucose of 200 mg/dL (11.1 mmol/L) or more within 12 months, outside hospital and "
        "off steroids: ask about symptoms of hyperglycaemia today. Whole blood (LOINC 2339-0) is never a criterion.",
        source=ADA,
    ),
    Rule(
        key="prediabetes",
        text="Newest HbA1c 5.7-6.4 % (39-47 mmol/mol), under 12 months old: said once, unless prediabetes is on the "
        "record already.",
        source=ADA,
    ),
    Rule(
        key="prediabetes-retest",
        text="Newest HbA1c 5.7-6.4 %, 12 months old or more: repeat it.",
        source=ADA,
    ),
    Rule(
        key="recently-normal",
        text="Newest HbA1c below 5.7 %, under 36 months old: silence.",
        source=f"{ADA}; {USPSTF}",
    ),
    Rule(
        key="model-high",
        text="Otherwise a model gives the probability of HbA1c 6.5 % or more. At 10 % or more, with a glucose from the "
        "last 12 months: order an HbA1c, unless one is ordered. Without a glucose the model alone raises no card.",
        source=OURS,
    ),
    Rule(key="model-low", text="Probability below the threshold: no card.", source=OURS),
    Rule(
        key="screening-due",
        text="No glucose to go by, age 35-70, BMI 25 or more (23 if Asian), and neither HbA1c nor fasting glucose for "
        "36 months: screening is due.",
        source=f"{USPSTF}; BMI 23: {ADA}",
    ),
    Rule(
        key="record-unusable",
        text="An HbA1c is on the record and none of them can be used (no unit, not a number, dated in the future), or "
        "diagnoses that cannot be read: said on a card, since silence would look like an answer.",
        source=OURS,
    ),
    Rule(key="not-enough", text="No glucose to go by, and no guideline asks for screening: no card.", source=OURS),
    Rule(
        key="look-back",
        text="The model sees the newest glucose, BMI, waist and pressure of 12 months, lipids of 36. Glucose from "
        "hospital stays, emergency visits and steroid treatment is left out; steroids on the skin, in the eye or nose "
        "do not matter. A BMI that is missing, or off by more than 5 %, is computed from weight and adult height.",
        source=OURS,
    ),
    Rule(
        key="already-ordered",
        text="A test that was ordered in the last 12 months and is still open is not suggested again; where the order "
        "is all that the card would ask for, there is no card.",
        source=OURS,
    ),
    Rule(
        key="truth",
        text="Whether the estimate was right is learnt from the first interpretable HbA1c, or else a diagnosis, within 180 "
        "days. An HbA1c under 6.5 % while a glucose-lowering drug is taken, or a limit, rules nothing out.",
        source=OURS,
    ),
    left_out.ABSTAIN,
)


def reaches(fact: Observed, cut_off: dict[str, float]) -> bool:
    """At or above the cut-off, in the unit that was reported. A limit counts if it says so: ">14 %" does, "<7 %" does not."""
    if fact.reported.comparator.startswith("<"):
        return False
    return _at_least(fact.reported, cut_off) if fact.reported.unit in cut_off else _at_least(fact.quantity, cut_off)


def _at_least(quantity: Quantity, cut_off: dict[str, float]) -> bool:
    return quantity.value >= cut_off[quantity.unit]

"""Every clinical rule of the service: its numbers, its words for review, its source.

USPSTF: Hypertension in Adults: Screening, 2021 (JAMA 325:1650). ESC: 2024 Guidelines for the management of elevated
blood pressure and hypertension (Eur Heart J 45:3912). "Ours": an engineering choice, open to review.
"""

from __future__ import annotations

from datetime import timedelta

from cds import left_out
from cds.service import Rule

USPSTF = "USPSTF 2021, JAMA 325:1650"
ESC = "ESC 2024, Eur Heart J 45:3912"
OURS = "ours"

# mmHg, in the clinic. ESC 2024, section 5: hypertension; ACC/AHA speak of it from 130/80, and the page says so.
RAISED_SYSTOLIC, RAISED_DIASTOLIC = 140, 90
SEVERE_SYSTOLIC, SEVERE_DIASTOLIC = 180, 110  # ESC 2024: exclude an emergency, confirm promptly
HIGH_NORMAL_SYSTOLIC, HIGH_NORMAL_DIASTOLIC = 130, 85  # USPSTF 2021: high-normal, which raises the risk

READING_MONTHS = 24  # two raised readings further apart than this do not confirm each other
SEVERE_MONTHS = 12
EVERY_YEAR_FROM = 40  # USPSTF 2021: each year from this age, or at increased risk
OVERWEIGHT_BMI = 25.0
YEARLY_MONTHS, SELDOM_MONTHS = 12, 36  # USPSTF 2021: each year; every three to five years
DRUG_LOOK_BACK_MONTHS = 12
TRUTH_DAYS = 180  # a reading within half a year tells of the day of the question; later it may tell of a new disease
# How long the overridden rule is silent about this patient. "The data is wrong" silences nothing: somebody must look.
SNOOZES = {
    "already-known": timedelta(days=365),
    "measured-at-home": timedelta(days=180),
    "acutely-ill": timedelta(days=30),
    "patient-declined": timedelta(days=180),
}
THRESHOLD = 0.10
LOOK_BACK_MONTHS = {
    "bmi": 12,
    "waist": 12,
    "glucose": 12,
    "total_cholesterol": 36,
    "hdl": 36,
    "triglycerides": 36,
}

RULES = (
    Rule(
        key="diagnosed",
        text="Hypertension is on the record, active or resolved: the question does not arise. A provisional or rule-out "
        "entry does not count; nor does pulmonary, portal, ocular or intracranial hypertension.",
        source=ESC,
    ),
    Rule(
        key="treated",
        text="A drug that lowers the blood pressure is active or was prescribed within 12 months, whatever for: not asked; "
        "the page names the drug. Whoever prescribes it follows the pressure.",
        source=OURS,
    ),
    left_out.CHILD,
    left_out.AGE_UNKNOWN,
    left_out.DECEASED,
    Rule(
        key="pregnant",
        text="Pregnant, or up to 12 weeks after: not asked; pregnancy has its own visits and cut-offs. A pregnancy that "
        "nobody closed ends with a delivery, a later 'not pregnant', or after 42 weeks.",
        source=USPSTF,
    ),
    left_out.HOSPICE,
    Rule(
        key="in-hospital",
        text="The encounter is inpatient, acute, emergency or observation: not asked; pain and illness move the pressure.",
        source=ESC,
    ),
    Rule(
        key="reading",
        text="A reading is the mean of all pressures of one day, outside hospital and emergency visits. A pressure whose two "
        "numbers contradict each other is none. A partial date that may be the same day is taken for the same day.",
        source=f"{ESC}; the day as the unit: {OURS}",
    ),
    Rule(
        key="severe",
        text="The newest reading is 180 or more, or 110 or more, within 12 months: measure again today, look for signs of an "
        "emergency, confirm promptly.",
        source=ESC,
    ),
    Rule(
        key="criteria-twice",
        text="The newest reading and an earlier one within 24 months are both 140/90 or more: raised on two days, no "
        "diagnosis recorded. Confirm outside the clinic. A newer normal reading hides it, since pressure varies.",
        source=f"{ESC}; {USPSTF}",
    ),
    Rule(
        key="confirm",
        text="Only the newest reading, within 24 months, is 140/90 or more: confirm outside the clinic before anything is "
        "called hypertension or treated.",
        source=USPSTF,
    ),
    Rule(
        key="recently-normal",
        text="The newest reading is below 140/90 and not yet due again: silence. Due after 12 months from 40 years on, with a "
        "BMI of 25 or more, in Black people, and after a high-normal reading (130/85 or more); else after 36.",
        source=f"{USPSTF}; 36 of its three to five years: {OURS}",
    ),
    Rule(
        key="model-high",
        text="Due: a model gives the probability of 140/90 or more. At 10 % or more: measure the pressure.",
        source=f"due: {USPSTF}; the model: {OURS}",
    ),
    Rule(
        key="model-low",
        text="Due, probability below the threshold: no card, so that cards go to those of whom it is likelier. The page "
        "says that a measurement is due all the same.",
        source=f"due: {USPSTF}; the silence: {OURS}",
    ),
    Rule(
        key="screening-due",
        text="Due, and the model gives no number: measure the pressure.",
        source=USPSTF,
    ),
    Rule(
        key="record-unusable",
        text="A pressure is on the record and none can be used (no unit, not a number, dated in the future), or diagnoses "
        "that cannot be read: said on a card, since silence would look like an answer.",
        source=OURS,
    ),
    Rule(
        key="snoozed",
        text="A card overridden with a reason stays away, while the same rule applies: 12 months if it is known, 6 months if "
        "it is measured at home or the patient declined, 30 days if acutely ill. The page answers.",
        source=OURS,
    ),
    Rule(
        key="look-back",
        text="The model sees the newest BMI, waist and glucose of 12 months, lipids of 36, age and sex; never a pressure. "
        "Glucose from hospital stays and emergency visits is left out. A BMI that is missing, or off by more than 5 %, is "
        "computed from weight and adult height.",
        source=OURS,
    ),
    Rule(
        key="already-ordered",
        text="What was ordered in the last 12 months and is still open is not suggested again.",
        source=OURS,
    ),
    Rule(
        key="truth",
        text="Whether the estimate was right is learnt from the first reading, or else a diagnosis, within 180 days. A "
        "reading below 140/90 while a drug that lowers the pressure is taken rules nothing out.",
        source=OURS,
    ),
    left_out.ABSTAIN,
)

"""Every clinical rule of the service: its numbers, its words for review, its source.

FDA: Drug Safety Communication of 8 April 2016, "FDA revises warnings regarding use of the diabetes medicine metformin in
certain patients with reduced kidney function". "Ours": an engineering choice, open to review.
"""

from __future__ import annotations

from datetime import timedelta

from cds.service import Rule

FDA = "FDA Drug Safety Communication, 8 April 2016"
CKD_EPI = "Inker 2021, N Engl J Med 385:1737 (CKD-EPI 2021, creatinine)"
KDIGO_AKI = "KDIGO 2012, Acute Kidney Injury, 2.1.1"
OURS = "ours"

CONTRAINDICATED_BELOW = 30  # mL/min/1.73 m2, as are the next
NOT_STARTED_BELOW = 45
LOOK_BACK_MONTHS = 12  # "at least annually"
ADULT_YEARS = 18  # the equation was made from adults
RISE = {"mg/dL": 0.3, "umol/L": 26.5}  # compared in the unit reported: 26.5 umol/L are 0.29977 mg/dL
RISE_WITHIN = timedelta(hours=48)
RISE_FOLD = 1.5
RISE_FOLD_WITHIN = timedelta(days=7)
STEADY_AFTER = timedelta(days=7)
CONTRAST_BELOW = 60  # mL/min/1.73 m2
CONTRAST_RECHECK = timedelta(hours=48)
CONTRAST_REMEMBERED = timedelta(days=7)

RULES = (
    Rule(
        key="not-metformin",
        text="None of the prescriptions being signed or just selected is metformin or a combination with it: not asked. A "
        "selection that names none of the drafts selects all; a draft that is stopped, cancelled or completed starts "
        "nothing. "
        "Where nobody prescribes (the page), the question is put for those who take metformin.",
        source=OURS,
    ),
    Rule(key="deceased", text="Deceased: not asked.", source=OURS),
    Rule(
        key="contraindicated",
        text="eGFR below 30 mL/min/1.73 m2: metformin is contraindicated, to start and to go on.",
        source=FDA,
    ),
    Rule(
        key="not-recommended",
        text="eGFR from 30 to below 45, metformin not taken so far: starting is not recommended.",
        source=FDA,
    ),
    Rule(
        key="contrast",
        text="Imaging with iodinated contrast, and no eGFR or creatinine of 48 hours later or more: with an eGFR below 60, or "
        "after angiography at any eGFR, metformin is stopped at or before the imaging and restarted only if the kidneys are "
        "then stable. (Liver disease, alcoholism and heart failure, which the labelling names too, are not looked for.)",
        source=FDA,
    ),
    Rule(
        key="contrast-read",
        text="That contrast was given is read from the study's modality (CT, or XA: angiography) and its names ('W contrast', "
        "'CTA', 'enhanced'; not 'without contrast'). A study is remembered for 7 days.",
        source=OURS,
    ),
    Rule(
        key="reassess",
        text="eGFR from 30 to below 45, metformin taken already: assess benefit and risk of going on, and the dose.",
        source=FDA,
    ),
    Rule(key="no-objection", text="eGFR 45 or more, and steady: no card.", source=FDA),
    Rule(
        key="newer-unusable",
        text="The same, but an eGFR or creatinine newer than the one used could not be used (not final, no number, a unit "
        "not understood, or a limit that decides nothing): that is said. Beside any other answer it is said as well.",
        source=OURS,
    ),
    Rule(
        key="no-egfr-before-start",
        text="Neither an eGFR nor a creatinine to compute it from within 12 months, metformin not taken so far: obtain "
        "an eGFR before starting.",
        source=FDA,
    ),
    Rule(
        key="no-egfr-this-year",
        text="The same, metformin taken already: an eGFR is due at least once a year.",
        source=FDA,
    ),
    Rule(
        key="unsteady",
        text="Creatinine up by 0.3 mg/dL (26.5 umol/L) or more within 48 hours, or 1.5-fold or more within 7 days: eGFR "
        "is not steady, and no number can be relied on. It is said beside any other answer, which then is a warning.",
        source=KDIGO_AKI,
    ),
    Rule(
        key="steady-again",
        text="A rise counts until a kidney value more than 7 days after it shows none. Where only days are recorded, two "
        "results count as close as they may have been.",
        source=OURS,
    ),
    Rule(
        key="taken-already",
        text="Taken already: a prescription of metformin on the record is active, or was completed and is not older than "
        "12 months. One on hold, stopped or cancelled does not count: taking it up again is starting.",
        source=OURS,
    ),
    Rule(
        key="computed",
        text="Without a usable eGFR within 12 months, or with a later creatinine, the eGFR is computed from the "
        "newest creatinine (adults whose sex is recorded as male or female), rounded to a whole number as laboratories "
        "do.",
        source=CKD_EPI,
    ),
    Rule(
        key="lower-of-both",
        text="Where a reported eGFR and one computed from a later creatinine disagree, the lower one counts, and the other "
        "is said where it would be another answer. Later is by the time where both have one, else by the day. Of several "
        "results of one time the lowest eGFR and the highest creatinine count.",
        source=OURS,
    ),
    Rule(
        key="limits",
        text="A reported '>60' counts as at least 60, a '<15' as below 15, written as a quantity or as text. A limit that "
        "could lie on both sides of 45 ('>30', '<60') is not used, and said. One below 45 that may be below 30 ('<45') "
        "counts as below 45, with a warning that it may be lower.",
        source=OURS,
    ),
    Rule(
        key="which-egfr",
        text="CKD-EPI 2021, CKD-EPI 2009 and MDRD as reported. Results for one race are not used; creatinine is.",
        source=OURS,
    ),
    Rule(
        key="draft-unreadable",
        text="A prescription among those being signed that cannot be read, or whose code alone does not say what it is, may "
        "be metformin: that it was not checked is said each time, as a warning.",
        source=OURS,
    ),
)

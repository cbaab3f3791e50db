"""What only people can say of the model, filed as cds/source_attributes.py and cds/chai.py name it."""

from __future__ import annotations

ATTRIBUTES = {
    # --- Details and output ---
    "developer": (
        "The Bedside project, open source under Apache-2.0. Reach it through the administrators of Bedside at"
        " your hospital, or in the project's issue tracker."
    ),
    "output_value": (
        "The probability, in per cent, that an adult without a hypertension diagnosis and without a recent blood"
        " pressure would have 140/90 mmHg or more if it were measured now; with it each input's share in it, and what"
        " is missing."
    ),
    "output_kind": (
        "Prediction (a probability of present disease) and, where it reaches the threshold, the recommendation to"
        " measure the blood pressure."
    ),
    # --- Purpose ---
    "intended_use": (
        "To have the blood pressure measured first in those adults, overdue for it, who are likeliest to have a high one"
        " that nobody has found. It is a reason to measure, never a diagnosis. The criteria of ESC and USPSTF come first."
    ),
    "intended_patients": (
        "Adults of 18 or older, in outpatient care, without a diagnosis of hypertension, without drugs that lower the"
        " blood pressure, whose last reading is missing or due again."
    ),
    "intended_users": "Clinicians and nurses who decide whom to measure: in primary care first of all.",
    "decision_role": "Informs. The clinician decides, sees every input, and may leave the card with a reason.",
    # --- Cautioned out-of-scope use ---
    "cautioned_uses": (
        "Children; pregnancy and the weeks after; people in hospital or in an emergency; people who are treated;"
        " ruling hypertension out, or leaving a due measurement out; insurance, employment, or any decision other than"
        " the offer of a measurement."
    ),
    "known_risks": (
        "It ranks people little better than their age alone does, so it speaks mostly of older people and misses most"
        " of the young who have a high pressure. It may say too little for Black people. One visit's pressure, on which"
        " it was trained, is not yet hypertension."
    ),
    # --- Development ---
    "training_criteria": (
        "NHANES, a sample of the people living at home in the USA. Included: adults with a measured blood pressure who"
        " said that no doctor had told them of a high one. Not known: who takes drugs that lower it for another reason."
        " Not in the survey: people in institutions."
    ),
    "sensitive_inputs": (
        "Sex and age (from the date of birth) are inputs. Race, ethnicity, language, sexual orientation, gender"
        " identity, social determinants and health status assessments are not. One guideline rule beside the model"
        " uses race as USPSTF words it: a yearly measurement for Black people of any age."
    ),
    "relevance": (
        "People at home in the USA up to 2014. Elsewhere, in hospitals and today calibration must be checked on"
        " one's own records in silent mode before any card is shown."
    ),
    # --- Fairness ---
    "fairness_approach": (
        "The figures are given by sex, age band and ethnicity with intervals, and the differences are said in"
        " words on the card. Ethnicity is no input of the model. Whom the guideline wants measured does not depend on"
        " the model; it decides who is named on a card first."
    ),
    "bias_management": (
        "The survey's weights are used, so that groups that were drawn more often on purpose do not count more."
        " Each person is also seen with parts of the chart hidden, so that people with sparse records are not"
        " strangers to the model; where calibration is off for a pattern of missing data, the model abstains."
    ),
    # --- CHAI ---
    "how_to_use": (
        "Read the card: what the record says, the probability, the step. Open “See why” for every input with its"
        " date. Measure, or leave the card with a reason."
    ),
    "clinical_risk_level": "Low: it leads to a measurement at most. It is no certified medical device.",
    "regulatory_approval": "None. Advisory software; each hospital judges what applies to it.",
    "stakeholders": "Not available: no panel of clinicians or patients has been consulted and recorded.",
    "consent": (
        "A hospital decides whether to tell patients. Each can opt out, and is then neither scored nor stored."
    ),
    "keywords": "undiagnosed hypertension, blood pressure, screening, XGBoost, NHANES",
}

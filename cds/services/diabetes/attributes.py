"""What only people can say of the model, filed as cds/source_attributes.py and cds/chai.py name it."""

from __future__ import annotations

ATTRIBUTES = {
    # --- Details and output ---
    "developer": (
        "The Bedside project, open source under Apache-2.0. Reach it through the administrators of Bedside at"
        " your hospital, or in the project's issue tracker."
    ),
    "output_value": (
        "The probability, in per cent, that an adult without a diabetes diagnosis would have an HbA1c of 6.5 % or"
        " more if it were measured now; with it each input's share in it, and what is missing."
    ),
    "output_kind": (
        "Prediction (a probability of present disease) and, where it reaches the threshold, the recommendation to"
        " order a test."
    ),
    # --- Purpose ---
    "intended_use": (
        "To offer an HbA1c to adults who may have diabetes that nobody has found. It is a reason to test, never a"
        " diagnosis. The criteria of ADA and USPSTF come first and do not wait for it."
    ),
    "intended_patients": (
        "Adults of 18 or older, in outpatient care, without a diagnosis of diabetes and without glucose-lowering drugs."
    ),
    "intended_users": "Clinicians who decide whether to order an HbA1c: in primary care first of all.",
    "decision_role": "Informs. The clinician decides, sees every input, and may leave the card with a reason.",
    # --- Cautioned out-of-scope use ---
    "cautioned_uses": (
        "Children; pregnancy and the weeks after; people in hospital or in an emergency; people whose HbA1c"
        " cannot be trusted; type 1 diabetes; ruling diabetes out; insurance, employment, or any decision other"
        " than the offer of a test."
    ),
    "known_risks": (
        "It says too little for Black people and for those whom the survey calls other or multi-racial, and too"
        " much for White people. Without glucose it ranks people only moderately well and seldom reaches the"
        " threshold. With fasting glucose it adds nothing to that glucose. HbA1c itself is off in anaemia,"
        " haemoglobin variants and kidney failure."
    ),
    # --- Development ---
    "training_criteria": (
        "NHANES, a sample of the people living at home in the USA. Included: adults with an HbA1c who said that"
        " no doctor had told them of diabetes. Excluded: people on insulin or tablets. Not in the survey: people"
        " in institutions."
    ),
    "sensitive_inputs": (
        "Sex and age (from the date of birth) are inputs. Race, ethnicity, language, sexual orientation, gender"
        " identity, social determinants and health status assessments are not. One guideline rule beside the model"
        " uses race as USPSTF and ADA word it: a lower BMI for people of Asian descent."
    ),
    "relevance": (
        "People at home in the USA up to 2014. Elsewhere, in hospitals and today calibration must be checked on"
        " one's own records in silent mode before any card is shown."
    ),
    # --- Fairness ---
    "fairness_approach": (
        "The figures are given by sex, age band and ethnicity with intervals, and the differences are said in"
        " words on the card. Ethnicity is no input, so that nobody is offered less because of it; the price, too"
        " low a probability for some groups, is stated. The guideline's own triggers do not depend on the model."
    ),
    "bias_management": (
        "The survey's weights are used, so that groups that were drawn more often on purpose do not count more."
        " Each person is also seen with parts of the chart hidden, so that people with sparse records are not"
        " strangers to the model; where calibration is off for a pattern of missing data, the model abstains."
    ),
    # --- CHAI ---
    "how_to_use": (
        "Read the card: what the record says, the probability, the step. Open “See why” for every input with its"
        " date. Order the test, or leave the card with a reason."
    ),
    "clinical_risk_level": "Low: it leads to a blood test at most. It is no certified medical device.",
    "regulatory_approval": "None. Advisory software; each hospital judges what applies to it.",
    "stakeholders": "Not available: no panel of clinicians or patients has been consulted and recorded.",
    "consent": (
        "A hospital decides whether to tell patients. Each can opt out, and is then neither scored nor stored."
    ),
    "keywords": "undiagnosed diabetes, HbA1c, screening, XGBoost, NHANES",
}

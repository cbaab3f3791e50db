"""The chapters of the model card that only people can write."""

from __future__ import annotations

WORDS = {
    "The question": """\
Could this adult, who has no diagnosis of hypertension and whose blood pressure has not been measured lately, have a high
one **now** that nobody has found? The answer is the probability that the pressure, if measured today, would be 140/90
mmHg or more. It is not the risk of falling ill later, and one high reading is not yet hypertension.

Why this question: of what the survey table at hand measures, it is the one besides diabetes whose answer is measured in
nearly everybody, is no function of the inputs, and leads to something that is done (a measurement). Kidney disease cannot
be asked, since the table holds no creatinine. A high LDL cholesterol (190 mg/dL or more) was ranked worse (AUROC 0.67), and
so was uncontrolled pressure in people who know of theirs (0.63); both by a first trial on the same years.""",
    "For whom": """\
Clinicians and nurses who decide whom to measure first, of adults of 18 or older without a diagnosis of hypertension and
without drugs that lower the pressure, whose last reading is missing or due again by USPSTF. It is a reason to measure,
never a diagnosis; the criteria of the guidelines come first, and where a pressure is known the model is not asked.""",
    "Not for": """\
Children; pregnancy and the weeks after; people in hospital or in an emergency (pain and illness move the pressure);
people who are treated; ruling hypertension out; leaving out a measurement that is due; insurance, employment or any
decision other than the offer of a measurement. The service enforces what of this it can see.""",
    "The people": """\
NHANES examines a sample of the people living at home in the USA. We take adults with a measured pressure who answered
"no" to "has a doctor told you that you had high blood pressure". The label is the mean of up to four readings of one visit.
The table does not say who takes drugs that lower the pressure for another reason; some will be among those counted as
normal. Age is capped at 80 in training and in use, because the survey prints every higher age as 80 (85 before 2007).""",
    "Choices, and why": """\
- **Cut-off**: 140/90 mmHg (ESC 2024). ACC/AHA count from 130/80 on; a quarter of these people reach that, and ranking
  them was harder (AUROC 0.75 in a first trial).
- **Features**: age, sex, BMI, waist, total and HDL cholesterol, triglycerides, glucose. The pressure itself, old pressures,
  treatment and ethnicity are never features. HbA1c was tried and added nothing.
- **Missing values**: each person is seen six times: once as recorded, five times with each group (body, glucose, lipids,
  waist) hidden by the toss of a coin, so that all 16 patterns are learnt. Triglycerides are hidden alone as well.
- **Survey design**: as for the diabetes model: everyone gets the weight that the half that came fasting carries in his or
  her cell of cycle, sex, age band and ethnicity. Intervals draw persons and are therefore a little too narrow.
- **Drift**: undiagnosed high pressure became rarer: 13.8 % of these people in 1999-2000, 8.2 % in 2013-2014, probably
  because more of them are told. Newer cycles therefore count more: the weight halves every four years back, as for the diabetes
  model. Two splits inside the training years singled out no other value.
- **Direction**: the probability may not fall with age, BMI or waist.
- **Threshold**: to measure a pressure takes minutes and hardly harms, so one case found is taken to be worth nine needless
  measurements, and the threshold is one in ten. That is a judgement of ours; the decision curve shows other prices.
- **What we did with the test years**: a first trial with another library looked at them once, to choose among these
  questions and to leave HbA1c out. Then everything was fixed and the model measured once; nothing was changed after it.
  2015-2018 is kept apart for a final measurement.""",
    "Limits": """\
- **It knows little more than age.** It ranks better than age alone (AUROC 0.80 against 0.78), but at its threshold both find
  about the same cases. From 60 years on nearly everybody reaches the threshold, and within that age it hardly ranks (0.54
  to 0.57). Under 40 it finds a fifth of the cases. What it offers is an order in which to measure, in one number that also
  counts weight and laboratory values; a practice that measures everybody has no use for it.
- **It says too little for Black people** (observed/expected 1.43) and too much for White people (0.79): at the same values
  Black people have a high pressure more often, and ethnicity is not a feature. The guideline's rule beside the model asks
  for a yearly measurement of Black people of any age; the card, however, depends on the model. A hospital should look at
  this in silent mode before it goes live, and may set a lower threshold.
- **It says too much for the whole nation of 2011-2014** (observed/expected 0.85 weighted, 0.95 unweighted), since undiagnosed
  high pressure goes on becoming rarer. In 7 of the 16 patterns of missing data, all but one of those without lipids, it is
  off by more than the rule of abstention allows; there the guideline alone speaks.
- **One visit**: part of those with 140/90 or more have a normal pressure at home.
- People of the USA at home, 1999-2014. Elsewhere, and in hospitals, calibration must be checked on one's own records in
  silent mode before any card is shown.""",
}

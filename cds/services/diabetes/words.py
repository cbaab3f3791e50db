"""The chapters of the model card that only people can write."""

from __future__ import annotations

WORDS = {
    "The question": """\
Could this adult, who has no diagnosis of diabetes, have diabetes **now** that nobody has found? The answer is the
probability that HbA1c, if measured today, would be 6.5 % or more. It is not the risk of falling ill later.""",
    "For whom": """\
Clinicians who decide whether to order an HbA1c for an adult of 18 or older without a diagnosis of diabetes and without
glucose-lowering drugs. It is a reason to test, never a diagnosis; the criteria of the guidelines come first and do not
wait for it.""",
    "Not for": """\
Children; pregnancy and the weeks after; people in hospital or in an emergency (stress and steroids raise glucose);
people whose HbA1c cannot be trusted; type 1 diabetes; ruling diabetes out; insurance, employment or any decision other
than the offer of a test. The service enforces what of this it can see.""",
    "The people": """\
NHANES examines a sample of the people living at home in the USA. We take adults with an HbA1c who answered "no" or
"borderline" to "has a doctor told you that you have diabetes" and who take neither insulin nor tablets. No answer about
drugs counts as not taking any: the tablets question is put only to people who said yes or borderline. Age is capped at
80 in training and in use, because the survey prints every higher age as 80 (85 before 2007).""",
    "Choices, and why": """\
- **Features**: age, sex, BMI, waist, systolic and diastolic pressure, total and HDL cholesterol, triglycerides, glucose
  (serum, in any fasting state). HbA1c, treatment and ethnicity are never features. Values outside the plausible range
  and a systolic pressure not above the diastolic count as missing.
- **Missing values**: nearly everything is present in a survey and much is missing in a chart. Each person is seen
  eight times: once as recorded, seven times with each group (body, glucose, lipids, pressure, waist) hidden by the
  toss of a coin, so that all 32 patterns are learnt. Triglycerides are hidden alone as well, since the survey has them
  only from people who came fasting.
- **Preparation**: rows are left as they are. Of nine ways none did better inside the training years ("Outliers and missing
  values" has the figures). All four people with a glucose above 400 mg/dL had the label, and 31 in 100 of those beyond
  the interquartile fences, against 3 in 100 of all: what such rules throw out is the disease.
- **Survey design**: the survey draws minorities and the old on purpose more often. The table at hand has a weight only
  for the half of each cycle that came fasting. So everyone gets the weight that this half carries in his or her cell
  of cycle, sex, age band and ethnicity. Nothing makes up for people who were examined and gave no answer. Strata and
  sampling units are not used: intervals draw persons and are therefore a little too narrow.
- **Drift**: the laboratories and their analysers changed. Among lean adults under 40 the mean HbA1c went from 5.0 %
  (1999-2000) to 5.1 % (2001-2004), 5.0 % (2005-2006) and 5.15-5.23 % (2007-2014), and glucose shifted as well; the
  label became more common (2.1-2.4 % before 2007, 2.7-3.5 % since). Newer cycles therefore count more: the weight
  halves every four years back.
- **Direction**: risk may not fall with age, BMI, waist or glucose, nor rise with HDL cholesterol.
- **Settings**: who counts how much was chosen on two splits inside the training years (up to 2006 against 2007-2008, up
  to 2008 against 2009-2010). The trees' settings and their number come from a search on people of the training years left
  out in turn; all that were tried lie within 0.0004 of each other in log loss, so little hangs on them.
- **Calibration**: a line through the log-odds (Platt), drawn on people whom no tree had seen. Of three ways, compared
  on the same two splits, this lost least: none; a fifth of the people set apart, whose hundred cases move the line by luck;
  each fifth left out in turn, as it is shipped.
- **Threshold**: an HbA1c costs little and hardly harms, so one case found is taken to be worth nine needless tests, and
  the threshold is one in ten. That is a judgement of ours and not a finding; the decision curve shows other prices.
- **Since 1.0.0** the settings are searched and the calibration is new. On the same people of 2011-2014 the two versions
  rank alike (AUROC 0.933, before 0.932), are off in level alike (observed/expected 1.11, before 1.10; weighted 0.86, before
  0.85), and the new one exaggerates less (slope 0.91, before 0.87; weighted 0.95, before 0.90). It abstains in 7 of the 32
  patterns, before in 11. With fasting glucose it finds fewer cases at its threshold (57 %, before 62 %).
- **What we did with the test years**: they were looked at four times. A first version tempered the survey's
  weights (their square root); measured on 2011-2014 it predicted a fifth too many cases for the nation (observed/
  expected 0.81 weighted, 1.05 unweighted). We then went back to the plain weights, as the plan had been, looked again,
  and settled half-life and number of trees on the inner splits; version 1.0.0 was the third look. Everything about 1.1.0
  was fixed inside the training years before it was measured once, the fourth look, and nothing was changed after it.
  The rule of abstention was fixed before the first look and kept. The figures below may be slightly flattering for
  that reason; 2015-2018 is kept apart for a final measurement.""",
    "Limits": """\
- **People of different origin** with the same values have different HbA1c. Because ethnicity is not a feature, the
  model says too little for Black people and for those whom the survey calls "other or multi-racial" (from 2011 mostly
  Asian), and too much for White people; the table by group has the figures. So at one threshold fewer of the missed
  cases in the first two groups are offered a test by the model. The guideline's own triggers (age and BMI, a lower
  BMI for Asian people) do not depend on the model.
- **Without glucose** it ranks people only moderately well (AUROC 0.69-0.80) and seldom reaches the threshold: without
  any laboratory value it should raise no card.
- **With fasting glucose** it adds nothing to that glucose; what it adds is for people who did not fast or of whom
  nobody knows whether they did.
- HbA1c itself is off in anaemia, haemoglobin variants and kidney failure. The survey does not tell us of those.
- People of the USA at home, 1999-2014. Elsewhere, and in hospitals, calibration must be checked on one's own records
  in silent mode before any card is shown.
- In the survey a missing value of triglycerides tells that a person came in the afternoon; in a chart it does not.""",
}

"""Rules that read the same for every service that looks for a disease in adults, for its page of rules."""

from __future__ import annotations

from cds.service import Rule

_OURS = "ours"
CHILD = Rule(key="child", text="Under 18 years: not asked. The model knows adults only.", source=_OURS)
AGE_UNKNOWN = Rule(
    key="age-unknown",
    text="No credible birth date on the record (none, or more than 120 years ago): not asked, since the model knows "
    "adults only.",
    source=_OURS,
)
DECEASED = Rule(key="deceased", text="Deceased: not asked.", source=_OURS)
HOSPICE = Rule(key="hospice", text="Hospice care now or within 12 months: not asked.", source=_OURS)
ABSTAIN = Rule(
    key="abstain",
    text="Where the model was off by more than a quarter on people with the same data missing "
    "(observed/expected outside 0.8-1.25), it gives no number.",
    source=_OURS,
)

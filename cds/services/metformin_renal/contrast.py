"""Was iodinated contrast given, and are the kidneys to be looked at again before metformin goes on?"""

from __future__ import annotations

import re

from cds.codes import DCM, Code
from cds.context import PatientContext
from cds.facts import Imaging
from cds.services.metformin_renal import kidneys, rules
from cds.services.metformin_renal.kidneys import Filtration

_ANGIOGRAPHY = Code(DCM, "XA")  # contrast into an artery or a vein is what it is made with
_CT = Code(DCM, "CT")  # contrast for magnetic resonance holds no iodine
_WITHOUT = re.compile(r"\b(without|w/o|wo|non|no)[\s-]+(iv\s+|i\.v\.\s+)?contrast", re.IGNORECASE)
_WITH = re.compile(r"contrast|\benhanced|\bangio|\bcta\b", re.IGNORECASE)


def study(context: PatientContext) -> Imaging | None:
    """The newest study with iodinated contrast that no eGFR has followed 48 hours later; None after a week without one."""
    asked = [one for one in context.imaging if _with_iodine(one) and _lately(one, context)]
    newest = max(asked, key=lambda one: one.start.latest if one.start else context.now, default=None)
    return None if newest is None or _measured_since(newest, context) else newest


def forbids(found: Filtration | None, given: Imaging | None) -> bool:
    """Below 60 whatever the way in; above it where it may have gone into an artery."""
    if found is None or given is None:
        return False
    return found.low < rules.CONTRAST_BELOW or _ANGIOGRAPHY in given.codes


def unknown(context: PatientContext) -> bool:
    """Would it matter, and could not be read?"""
    found = kidneys.filtration(context)
    return "imaging" in context.unread and found is not None and found.low < rules.CONTRAST_BELOW


def _with_iodine(one: Imaging) -> bool:
    """As its names say: "W contrast", "WO and W contrast", "CTA"; of angiography all but those that say without."""
    if _ANGIOGRAPHY in one.codes:
        return _WITHOUT.search(one.text) is None
    return _CT in one.codes and _WITH.search(_WITHOUT.sub(" ", one.text)) is not None


def _lately(one: Imaging, context: PatientContext) -> bool:
    if one.start is None:
        return False
    return one.start.earliest <= context.now and one.start.latest >= context.now - rules.CONTRAST_REMEMBERED


def _measured_since(one: Imaging, context: PatientContext) -> bool:
    """Is there a kidney value of at least 48 hours later?"""
    facts = (*context.all("egfr"), *context.all("creatinine"))
    return one.start is not None and any(
        fact.when.earliest >= one.start.latest + rules.CONTRAST_RECHECK for fact in facts
    )

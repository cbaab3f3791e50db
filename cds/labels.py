"""Security labels of FHIR resources (`meta.security`) by which an entry is kept out of decisions.

Restricted and very restricted, and the three kinds of information that law protects most: psychiatry, substance use
("ETH" is its code) and HIV. STU3 and documents name the code systems otherwise; all names count.
"""

from __future__ import annotations

from cds.codes import ACT_CODE, Code

_CONFIDENTIALITY = (
    "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "http://hl7.org/fhir/v3/Confidentiality",
    "urn:oid:2.16.840.1.113883.5.25",
)
_INFORMATION = (ACT_CODE, "http://hl7.org/fhir/v3/ActCode", "urn:oid:2.16.840.1.113883.5.4")

_CODES = {"R": _CONFIDENTIALITY, "V": _CONFIDENTIALITY, "PSY": _INFORMATION, "ETH": _INFORMATION, "HIV": _INFORMATION}
LABELS = frozenset(_CODES)
PROTECTED = "part of it is protected and was not used"
# Of a Patient: the whole chart. CEL is the label of people in the public eye.
RESTRICTED = frozenset(
    Code(system, name)
    for names, systems in ((("R", "V"), _CONFIDENTIALITY), (("CEL",), _INFORMATION))
    for name in names
    for system in systems
)


def kept_out(*, except_for: str = "") -> frozenset[Code]:
    """The labels whose entries are dropped; `except_for` names those that a hospital allows, by comma."""
    allowed = set(except_for.replace(",", " ").split())
    return frozenset(
        Code(system, name) for name, systems in _CODES.items() if name not in allowed for system in systems
    )

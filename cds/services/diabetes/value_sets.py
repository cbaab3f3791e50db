"""Which codes mean what. Written out, since no terminology server stands on the hook's path; as of November 2026.

ICD chapters are matched by their beginning, with and without the dot. SNOMED CT descendants are listed as far as charts
were seen to use them. Drugs are matched by the ingredient's name in the text as well: a prescription carries the code of
a product, of which there are thousands, and its text always names the ingredient.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cds.codes import ACT_CODE, ATC, ICD9CM, ICD10CM, ICD10WHO, RXNORM, SNOMED, Code
from cds.facts import Coded, Drug
from cds.value import Value


class ValueSet(Value):
    """Codes by system, ICD and ATC ones by their beginning (`prefixes`)."""

    title: str
    codes: frozenset[Code] = frozenset()
    prefixes: tuple[tuple[str, str], ...] = ()

    def has(self, fact: Coded) -> bool:
        return bool(fact.codes & self.codes) or any(self._begins(code) for code in fact.codes)

    def _begins(self, code: Code) -> bool:
        plain = code.code.replace(".", "").upper()
        return any(code.system == system and plain.startswith(prefix) for system, prefix in self.prefixes)

    def first(self, facts: Iterable[Coded]) -> Coded | None:
        return next((fact for fact in facts if self.has(fact)), None)


def _snomed(*codes: str) -> frozenset[Code]:
    return frozenset(Code(SNOMED, code) for code in codes)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _begin(system: str, *prefixes: str) -> tuple[tuple[str, str], ...]:
    return tuple((system, prefix) for prefix in prefixes)


DIABETES = ValueSet(
    title="diabetes",
    codes=_snomed(
        *("73211009", "44054006", "46635009", "8801005", "111552007", "199230006", "199229001", "313435000"),
        *("313436004", "359642000", "237599002", "426875007", "609561005", "703136005", "703138006", "5969009"),
        *("127013003", "368581000119106", "422034002", "1551000119108", "97331000119101", "1501000119109"),
        *("157141000119108", "90781000119102", "60951000119105", "420422005", "421895002", "4855003", "230572002"),
        *("190330002", "190331003", "237633009", "530558861000132104", "609568004", "609569007"),
    ),
    prefixes=(
        *_begin(ICD9CM, "250"),
        *_begin(ICD10CM, "E08", "E09", "E10", "E11", "E12", "E13", "E14"),
        *_begin(ICD10WHO, "E10", "E11", "E12", "E13", "E14"),
    ),
)
PREDIABETES = ValueSet(
    title="prediabetes",
    codes=_snomed("15777000", "714628002", "9414007", "390951007"),
    prefixes=(*_begin(ICD10CM, "R730"), *_begin(ICD10WHO, "R730"), *_begin(ICD9CM, "7902")),
)
PREGNANCY = ValueSet(
    title="pregnancy",
    codes=_snomed(
        *("77386006", "72892002", "47200007", "79586000", "11687002", "398254007", "10231000132102"),
        *("11466000", "236973005", "236974004", "177184002", "386216000", "198609003", "169826009"),
    ),
    prefixes=(
        *_begin(ICD10CM, "O", "Z33", "Z34", "Z3A", "Z37", "Z39", "Z3201"),
        *_begin(ICD10WHO, "O", "Z33", "Z34", "Z35", "Z37", "Z39"),
        *_begin(ICD9CM, "V22", "V23", "V24", "V27", *(str(number) for number in range(630, 680))),
    ),
)
HOSPICE = ValueSet(
    title="hospice care",
    codes=_snomed(
        *("385763009", "385765002", "170935008", "170936009", "183919006", "183920000", "183921001"),
        *("305336008", "305911006"),
    ),
)
SICKLE_OR_G6PD = ValueSet(
    title="sickle-cell disease or G6PD deficiency",
    codes=_snomed("417357006", "127040003", "35434009", "36472007", "127048005", "62403005", "124134002"),
    prefixes=(
        *_begin(ICD10CM, "D570", "D571", "D572", "D574", "D578", "D550"),
        *_begin(ICD10WHO, "D570", "D571", "D572", "D578", "D550"),
        *_begin(ICD9CM, "2826", "2822"),
    ),
)
HAEMODIALYSIS = ValueSet(
    title="haemodialysis",
    codes=_snomed("302497006", "265764009", "108241001", "714749008"),
    prefixes=(*_begin(ICD10CM, "Z992"), *_begin(ICD10WHO, "Z992"), *_begin(ICD9CM, "V4511")),
)
TRANSFUSION_OR_BLOOD_LOSS = ValueSet(
    title="a transfusion or blood loss",
    codes=_snomed("116859006", "71493000", "5447007", "180207008", "74474003", "131148009", "413533008"),
    prefixes=(*_begin(ICD10CM, "D62", "K922"), *_begin(ICD10WHO, "D62", "K922"), *_begin(ICD9CM, "2851", "5789")),
)
HAEMOGLOBIN_VARIANT = ValueSet(
    title="a haemoglobin variant",
    codes=_snomed("16402000", "80141007", "40108008"),
    prefixes=(
        *_begin(ICD10CM, "D573", "D56", "D580", "D581", "D582"),
        *_begin(ICD10WHO, "D573", "D56", "D58"),
        *_begin(ICD9CM, "2825", "2824", "2827"),
    ),
)
ANAEMIA = ValueSet(
    title="anaemia",
    codes=_snomed("271737000", "87522002", "83414005", "234347009", "414022008"),
    prefixes=(
        *_begin(ICD10CM, *(f"D{number}" for number in range(50, 65))),
        *_begin(ICD10WHO, *(f"D{number}" for number in range(50, 65))),
        *_begin(ICD9CM, "280", "281", "282", "283", "284", "285"),
    ),
)
CKD_4_5 = ValueSet(
    title="chronic kidney disease stage 4 or 5",
    codes=_snomed("431857002", "433146000", "46177005", "714152005", "714153000"),
    prefixes=(
        *_begin(ICD10CM, "N184", "N185", "N186"),
        *_begin(ICD10WHO, "N184", "N185"),
        *_begin(ICD9CM, "5854", "5855", "5856"),
    ),
)
# HL7 v3 ActEncounterCode: inpatient, acute, non-acute, short stay, emergency, observation.
HOSPITAL = ValueSet(
    title="a hospital stay",
    codes=frozenset(Code(ACT_CODE, code) for code in ("IMP", "ACUTE", "NONAC", "SS", "EMER", "OBSENC")),
)
ASIAN_RACE = "2028-9"  # CDC race code, US Core ombCategory


class DrugClass(Value):
    """Drugs by ATC group, by RxNorm ingredient, and by ingredient name (INN and USAN)."""

    title: str
    atc: tuple[str, ...]
    rxnorm: frozenset[str]
    names: frozenset[str]
    never: frozenset[str] = frozenset()  # words that say it does not act on the whole body

    def has(self, drug: Drug) -> bool:
        words = set(re.findall(r"[a-z]+", drug.text.lower()))
        if words & self.never:
            return False
        return bool(words & self.names) or any(self._coded(code) for code in drug.codes)

    def _coded(self, code: Code) -> bool:
        return (code.system == RXNORM and code.code in self.rxnorm) or (
            code.system == ATC and code.code.startswith(self.atc)
        )

    def first(self, drugs: Iterable[Drug]) -> Drug | None:
        return next((drug for drug in drugs if self.has(drug)), None)


GLUCOSE_LOWERING = DrugClass(
    title="a glucose-lowering drug",
    atc=("A10",),
    rxnorm=frozenset({"6809", "860975", "861007", "4821", "4815", "25789", "593411", "1545653", "274783", "5856"}),
    # Bromocriptine and colesevelam are left out: they are given for other reasons far more often.
    names=_words(
        """
        metformin insulin glipizide glimepiride glyburide glibenclamide gliclazide tolbutamide chlorpropamide tolazamide
        repaglinide nateglinide pioglitazone rosiglitazone acarbose miglitol voglibose sitagliptin saxagliptin linagliptin
        alogliptin vildagliptin canagliflozin dapagliflozin empagliflozin ertugliflozin sotagliflozin bexagliflozin
        exenatide liraglutide dulaglutide semaglutide lixisenatide tirzepatide albiglutide pramlintide
        glargine lispro aspart detemir degludec glulisine
        """
    ),
)
STEROID = DrugClass(
    title="a systemic steroid",
    atc=("H02",),
    rxnorm=frozenset({"8640", "8638", "6902", "3264", "5492", "1514", "2878", "22396"}),
    names=_words(
        """
        prednisone prednisolone methylprednisolone dexamethasone hydrocortisone betamethasone cortisone deflazacort
        """
    ),
    never=_words(
        """
        topical cream ointment lotion gel ophthalmic otic nasal inhaled inhalation inhaler rectal enema foam spray
        """
    ),
)
ERYTHROPOIETIN = DrugClass(
    title="erythropoietin",
    atc=("B03XA",),
    rxnorm=frozenset({"105694", "283838"}),
    names=_words("epoetin erythropoietin darbepoetin"),
)

"""Which codes mean what. Written out, since no terminology server stands on the hook's path; as of November 2026.

Each SNOMED CT, ICD and RxNorm code was looked up in public value sets and code lists. ICD chapters are matched by their
beginning, with and without the dot. SNOMED CT descendants are listed as far as charts and quality measures were seen to
use them.
"""

from __future__ import annotations

from collections.abc import Iterable

from cds.analytes import FASTING_GLUCOSE, HBA1C
from cds.codes import CPT, ICD9CM, ICD10CM, ICD10WHO, SNOMED, Code
from cds.value_sets import DrugClass, ValueSet, begin, snomed, words

DIABETES = ValueSet(
    title="diabetes",
    codes=snomed(
        # diabetes mellitus as such, its types and what they grow out of
        "73211009 44054006 46635009 111552007 313435000 313436004 23045005 28032008 190372001",
        "359642000 81531005 237599002 9859006 1481000119100 31321000119102 164971000119101",
        "443694000 444073006 11530004 290002008 445353002 268519009 405749004 426875007",
        "609561005 609562003 237604008 609570008 609571007 609572000 609568004 609569007",
        "8801005 5969009 59079001 51002006 42954008 237601000 426705001 427089005 105401000119101",
        "5368009 190447002 408540003 445260006 530558861000132104",
        # in remission, or in the past
        "703136005 703137001 703138006 161445009 472969004 472970003",
        # older than the pregnancy
        "199229001 199230006 609563008 609564002 609566000 609567009 237627000 106281000119103",
        # complications, which nobody has without the disease
        "12811000119100 127013003 157141000119108 243421000119104 90781000119102 18521000119106",
        "96441000119101 71421000119105 71701000119105 71441000119104 71721000119101 90791000119104",
        "368581000119106 230572002 424736006 49455004 1511000119107 1561000119105 110181000119105",
        "712882000 712883005 50620007 420436000 420918009 314903002 314904008 314893005",
        "4855003 422034002 420789003 390834004 1551000119108 60961000119107 138911000119106",
        "138921000119104 59276001 1501000119109 60971000119101 312912001 97331000119101 25093002",
        "422099009 421165007 43959009 420756003 421920002 60951000119105 60991000119100",
        "314902007 421895002 190389009 190368000 190390000 190369008 421631007 420825003",
        "164881000119109 140521000119107 140531000119105 110171000119107 110141000119100",
        "420422005 420270002 421750000 111556005 26298008 421847006 421075007 190330002 190331003",
        "237632004 237633009 120731000119103 84371000119108 137931000119102 137941000119106",
    ),
    prefixes=(
        # 249 secondary; 357.2, 362.0, 366.41 nerve, retina, lens; 648.0 older than the pregnancy (648.8 is gestational)
        *begin(ICD9CM, "249", "250", "3572", "3620", "36641", "6480"),
        *begin(ICD10CM, "E08", "E09", "E10", "E11", "E12", "E13", "E14", "O240", "O241", "O243", "O248"),
        *begin(ICD10WHO, "E10", "E11", "E12", "E13", "E14", "O240", "O241", "O242", "O243"),
    ),
)
LONG_TERM_TREATMENT = ValueSet(
    title="long-term use of a glucose-lowering drug",
    prefixes=begin(ICD10CM, "Z794", "Z7984", "Z7985"),
)
PREDIABETES = ValueSet(
    title="prediabetes",
    codes=snomed("15777000 714628002 9414007 390951007"),
    prefixes=(*begin(ICD10CM, "R730"), *begin(ICD10WHO, "R730"), *begin(ICD9CM, "7902")),
)
SICKLE_OR_G6PD = ValueSet(
    title="sickle-cell disease or G6PD deficiency",
    codes=snomed(
        "417357006 127040003 35434009 127043001 127042006 25472008 47024008 127048005",
        "62403005",
    ),
    prefixes=(
        *begin(ICD10CM, "D570", "D571", "D572", "D574", "D578", "D550", "D75A"),
        *begin(ICD10WHO, "D570", "D571", "D572", "D578", "D550"),
        *begin(ICD9CM, "2826", "28241", "28242", "2822"),
    ),
)
# "Dialysis" without saying which counts: by far the most is haemodialysis.
HAEMODIALYSIS = ValueSet(
    title="haemodialysis",
    codes=snomed("302497006 265764009 108241001 714749008 714152005")
    | frozenset(Code(CPT, code) for code in ("90935", "90937")),
    prefixes=(*begin(ICD10CM, "Z992"), *begin(ICD10WHO, "Z992", "Z491"), *begin(ICD9CM, "V4511", "V560")),
)
TRANSFUSION_OR_BLOOD_LOSS = ValueSet(
    title="a transfusion or blood loss",
    codes=snomed("116859006 116863004 71493000 5447007 180207008 74474003 131148009") | {Code(CPT, "36430")},
    prefixes=(
        *begin(ICD10CM, "D62", "K922"),
        *begin(ICD10WHO, "D62", "K922", "Z513"),
        *begin(ICD9CM, "2851", "5789", "V582"),
    ),
)
HAEMOGLOBIN_VARIANT = ValueSet(
    title="a haemoglobin variant",
    codes=snomed("16402000 80141007 40108008"),
    prefixes=(
        *begin(ICD10CM, "D573", "D56", "D582"),
        *begin(ICD10WHO, "D573", "D56", "D582"),
        *begin(ICD9CM, "2825", "2824", "2827"),
    ),
)
_ANAEMIAS = tuple("D50 D51 D52 D53 D55 D580 D581 D588 D589 D59 D60 D61 D62 D63 D64".split())
ANAEMIA = ValueSet(
    title="anaemia",
    codes=snomed("271737000 87522002 83414005 234347009"),
    prefixes=(
        *begin(ICD10CM, *_ANAEMIAS),
        *begin(ICD10WHO, *_ANAEMIAS),
        *begin(ICD9CM, "280", "281", "2820", "2821", "2822", "2823", "2828", "2829", "283", "284", "285"),
    ),
)
CKD_4_5 = ValueSet(
    title="chronic kidney disease stage 4 or 5",
    codes=snomed("431857002 433146000 46177005 714152005 714153000"),
    prefixes=(
        *begin(ICD10CM, "N184", "N185", "N186"),
        *begin(ICD10WHO, "N184", "N185"),
        *begin(ICD9CM, "5854", "5855", "5856"),
    ),
)
# An order need not carry the result's LOINC code: CPT in the USA, SNOMED CT elsewhere, or nothing but its name.
HBA1C_TEST = ValueSet(title="HbA1c", codes=HBA1C.codes | {Code(CPT, "83036"), Code(SNOMED, "43396009")})
FASTING_GLUCOSE_TEST = ValueSet(title="Fasting plasma glucose", codes=FASTING_GLUCOSE.codes)
_ASIAN = ("2028", "2052")  # CDC race codes: Asian, and the peoples listed below it


def asian(race_codes: Iterable[str]) -> bool:
    return any(_ASIAN[0] <= code.partition("-")[0] <= _ASIAN[1] for code in race_codes)


GLUCOSE_LOWERING = DrugClass(
    title="a glucose-lowering drug",
    atc=("A10",),
    rxnorm=words(
        """
        6809 4815 4821 25789 33738 84108 16681 30009 73044 274332 593411 857974 1100699 1373458 1488564 1545653
        60548 475968 1551291 1991302 2601723 5856 51428 86009 139825 274783 400008
        860975 861004 861007 199246 310490 665033 1545658 106892 865098
        """  # ingredients, insulins, then the products that charts were seen to carry
    ),
    # Bromocriptine and colesevelam are left out: they are given for other reasons far more often.
    names=words(
        """
        metformin insulin glipizide glimepiride glyburide glibenclamide gliclazide tolbutamide chlorpropamide tolazamide
        repaglinide nateglinide pioglitazone rosiglitazone acarbose miglitol voglibose sitagliptin saxagliptin linagliptin
        alogliptin vildagliptin canagliflozin dapagliflozin empagliflozin ertugliflozin sotagliflozin bexagliflozin
        exenatide liraglutide dulaglutide semaglutide lixisenatide tirzepatide albiglutide pramlintide
        glargine lispro aspart detemir degludec glulisine
        glucophage januvia janumet jardiance farxiga forxiga invokana ozempic rybelsus trulicity victoza mounjaro
        lantus toujeo levemir tresiba humalog novolog novorapid humulin novolin actos amaryl glucotrol
        synjardy xigduo trijardy invokamet segluromet steglatro glyxambi jentadueto tradjenta kombiglyze onglyza kazano
        basaglar semglee apidra admelog fiasp byetta bydureon adlyxin soliqua xultophy glumetza riomet fortamet
        """
    ),
)
STEROID = DrugClass(
    title="a systemic steroid",
    atc=("H02",),
    rxnorm=words("8640 8638 6902 3264 5492"),
    names=words(
        """
        prednisone prednisolone methylprednisolone dexamethasone hydrocortisone betamethasone cortisone deflazacort
        """
    ),
    never=words(
        """
        topical cream ointment lotion gel shampoo ophthalmic eye intravitreal otic ear drops nasal spray inhaled
        inhalation inhaler rectal enema foam
        """
    ),
)
ERYTHROPOIETIN = DrugClass(
    title="erythropoietin",
    atc=("B03XA",),
    rxnorm=words("105694 283838"),
    names=words("epoetin erythropoietin darbepoetin retacrit epogen procrit aranesp mircera"),
)

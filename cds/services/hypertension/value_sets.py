"""Which codes mean what. Written out, since no terminology server stands on the hook's path; as of November 2026.

ICD chapters are matched by their beginning, with and without the dot. SNOMED CT descendants are listed as far as charts
and quality measures were seen to use them.
"""

from __future__ import annotations

from collections.abc import Iterable

from cds.analytes import DIASTOLIC, SYSTOLIC
from cds.codes import BLOOD_PRESSURE_PANELS, CPT, ICD9CM, ICD10CM, ICD10WHO, SNOMED, Code
from cds.value_sets import DrugClass, ValueSet, begin, snomed, words

HYPERTENSION = ValueSet(
    title="hypertension",
    codes=snomed(
        # as such, essential, secondary, by which number is high
        "38341003 59621000 1201005 10725009 70272006 78975002 31992008 56218007 48146000",
        # crisis, and what the heart, the kidneys and the brain bear
        "706882009 443482000 50490005 64715009 38481006 86234004 5148006 46113002 49220004",
        "194774006 198944004 199005000",  # with renal disease; in pregnancy, older than it
    ),
    prefixes=(
        *begin(ICD10CM, "I10", "I11", "I12", "I13", "I15", "I16", "I1A", "O10", "O11"),
        *begin(ICD10WHO, "I10", "I11", "I12", "I13", "I15", "O10", "O11"),
        *begin(ICD9CM, "401", "402", "403", "404", "405", "6420", "6421", "6422", "6427"),
    ),
)
PRESSURE_TEST = ValueSet(
    title="Blood pressure", codes=BLOOD_PRESSURE_PANELS | SYSTOLIC.codes | DIASTOLIC.codes | snomed("75367002")
)
AMBULATORY = Code(SNOMED, "164783007")
AMBULATORY_TEST = ValueSet(
    title="Ambulatory blood pressure",
    codes=frozenset({AMBULATORY, *(Code(CPT, code) for code in ("93784", "93786", "93788", "93790"))}),
)
_BLACK = ("2054", "2075")  # CDC race codes: Black or African American, and the peoples listed below it


def black(race_codes: Iterable[str]) -> bool:
    return any(_BLACK[0] <= code.partition("-")[0] <= _BLACK[1] for code in race_codes)


LOWERING = DrugClass(
    title="a drug that lowers the blood pressure",
    # antihypertensives, diuretics, beta blockers, calcium channel blockers, the renin-angiotensin system
    atc=("C02", "C03", "C07", "C08", "C09"),
    rxnorm=words(
        """
        29046 17767 52175 5487 6918 1202 3827 35296 69749 214354 83818 321064 73494 20352 19484 7417 3443 11170 4603
        9997 2409 5764 2599 5470 49276 37798 8629 6185 8787 18867 1998 35208 50166 54552 4316 6876
        """  # ingredients
    ),
    names=words(
        """
        lisinopril enalapril ramipril captopril benazepril quinapril fosinopril perindopril trandolapril moexipril
        losartan valsartan candesartan irbesartan olmesartan telmisartan azilsartan eprosartan aliskiren sacubitril
        amlodipine nifedipine felodipine isradipine nisoldipine nicardipine lercanidipine lacidipine diltiazem verapamil
        hydrochlorothiazide chlorthalidone chlortalidone indapamide metolazone bendroflumethiazide chlorothiazide
        furosemide frusemide bumetanide torsemide torasemide spironolactone eplerenone amiloride triamterene
        metoprolol atenolol bisoprolol carvedilol nebivolol propranolol labetalol nadolol pindolol acebutolol betaxolol
        clonidine methyldopa moxonidine guanfacine hydralazine minoxidil doxazosin prazosin terazosin reserpine
        zestril prinivil norvasc cozaar diovan lopressor toprol tenormin coreg lasix aldactone microzide hyzaar
        entresto benicar micardis avapro atacand vasotec altace bystolic catapres cardura inderal procardia adalat
        """
    ),
    never=words("topical solution foam shampoo ophthalmic eye drops scalp"),
)

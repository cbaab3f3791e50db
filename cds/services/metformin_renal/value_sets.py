"""Metformin and its combinations, as of November 2026.

RxNorm: the ingredient, the combinations of ingredients, and the products that charts were seen to carry, each looked up
in public lists. A product's code says no ingredient, so the name in the text counts as well: the brands, and the
international name, which languages end and join differently ("metforminhydrochlorid", "metformín").
"""

from __future__ import annotations

import re
import unicodedata

from cds.codes import ATC
from cds.facts import Drug
from cds.value_sets import DrugClass

_INGREDIENT = ("6809",)
_COMBINATIONS = (
    "285129",  # glyburide
    "352381",  # glipizide
    "607999",  # pioglitazone
    "614348",  # rosiglitazone
    "729717",  # sitagliptin
    "1007411",  # chlorpropamide
    "1043562",  # saxagliptin
    "1243019",  # linagliptin
    "1486436",  # dapagliflozin
    "1545149",  # canagliflozin
    "1664314",  # empagliflozin
)
_PRODUCTS = ("860975", "860981", "860995", "861004", "861007", "861010")

METFORMIN = DrugClass(
    title="metformin",
    atc=tuple(
        f"A10B{code}"
        for code in (
            *("A02", "D02", "D03", "D05", "D07", "D08", "D10", "D11", "D13", "D14"),
            *("D15", "D16", "D17", "D18", "D20", "D22", "D23", "D25", "D26", "D27"),
        )
    ),
    rxnorm=frozenset((*_INGREDIENT, *_COMBINATIONS, *_PRODUCTS)),
    names=frozenset(
        """
        glucophage glumetza fortamet riomet
        janumet velmetia efficib ristfor zituvimet jentadueto kombiglyze komboglyze kazano vipdomet
        eucreas icandra zomarist
        synjardy xigduo ebymect invokamet vokanamet segluromet trijardy qternmet
        actoplus competact glubrava avandamet glucovance metaglip prandimet
        """.split()
    ),
)
_BEGINNINGS = ("metformin", "metformiini")
_SUBSTANCE = len("A10BA02")  # a whole ATC code names the substance


def is_metformin(drug: Drug) -> bool:
    """By its code, by a brand, or by a word that begins with the ingredient's name."""
    return METFORMIN.has(drug) or any(word.startswith(_BEGINNINGS) for word in _words(drug.text))


def is_named(drug: Drug) -> bool:
    """Can it be told what it is? A product's code without words says nothing to us: it is one of thousands."""
    return bool(_words(drug.text)) or any(code.system == ATC and len(code.code) >= _SUBSTANCE for code in drug.codes)


def _words(text: str) -> list[str]:
    """In lower case and without accents."""
    letters = unicodedata.normalize("NFKD", text.lower())
    return re.findall(r"[^\W\d_]+", "".join(letter for letter in letters if not unicodedata.combining(letter)))

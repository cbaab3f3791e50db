"""Metformin and its combinations, as of November 2026.

RxNorm: the ingredient, the combinations of ingredients, and the products that charts were seen to carry, each looked up
in public lists. A product's code says no ingredient, so the name in the text counts as well: the international name and
the brands of the combinations.
"""

from __future__ import annotations

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
            *("D15", "D16", "D17", "D18", "D20", "D22", "D23", "D25", "D26"),
        )
    ),
    rxnorm=frozenset((*_INGREDIENT, *_COMBINATIONS, *_PRODUCTS)),
    names=frozenset(
        """
        metformin metformine metformina glucophage glumetza fortamet riomet
        janumet velmetia efficib ristfor jentadueto kombiglyze komboglyze kazano vipdomet eucreas
        synjardy xigduo ebymect invokamet vokanamet segluromet trijardy qternmet
        actoplus competact avandamet glucovance metaglip prandimet
        """.split()
    ),
)

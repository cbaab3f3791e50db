"""Codes are matched by system and code, ICD by its beginning, drugs by name or code."""

from __future__ import annotations

import pytest

from cds.codes import ICD10CM, SNOMED
from cds.services.diabetes import value_sets
from cds.services.diabetes.tests.charts import diagnosis, drug
from cds.value_sets import ValueSet

SETS = [item for item in vars(value_sets).values() if isinstance(item, ValueSet)]


# The dihedral group of order ten and the permutation of Verhoeff's scheme.
_TIMES = [[(a + b) % 5 + 5 * (b > 4) if a < 5 else (a - b) % 5 + 5 * (b < 5) for b in range(10)] for a in range(10)]
_MOVED = "1576283094"


def _checked(code: str) -> bool:
    """SNOMED CT identifiers end in a Verhoeff check digit."""
    check = 0
    for place, digit in enumerate(reversed(code)):
        moved = digit
        for _ in range(place % 8):
            moved = _MOVED[int(moved)]
        check = _TIMES[check][int(moved)]
    return check == 0


@pytest.mark.parametrize("group", SETS, ids=lambda group: group.title)
def test_every_snomed_code_has_a_valid_check_digit(group: ValueSet) -> None:
    wrong = [code.code for code in group.codes if code.system == SNOMED and not _checked(code.code)]
    assert wrong == []


def test_the_check_digit_finds_a_mistyped_code() -> None:
    assert _checked("44054006")
    assert not _checked("44054007")
    assert not _checked("44504006")


@pytest.mark.parametrize("group", SETS, ids=lambda group: group.title)
def test_icd_prefixes_are_written_as_they_are_compared(group: ValueSet) -> None:
    assert all(prefix == prefix.replace(".", "").upper() for _, prefix in group.prefixes)


@pytest.mark.parametrize("code", ["E11.9", "E119", "e11.9"])
def test_an_icd_code_matches_with_and_without_its_dot(code: str) -> None:
    assert value_sets.DIABETES.has(diagnosis(code, system=ICD10CM))


def test_diabetes_prediabetes_and_gestational_diabetes_do_not_overlap() -> None:
    assert not value_sets.DIABETES.codes & value_sets.PREDIABETES.codes
    assert not value_sets.DIABETES.has(diagnosis("11687002"))
    assert not value_sets.DIABETES.has(diagnosis("O24.419", system=ICD10CM))


def test_a_drug_name_must_be_a_whole_word() -> None:
    assert value_sets.GLUCOSE_LOWERING.has(drug("metformin-HCl 500"))
    assert not value_sets.GLUCOSE_LOWERING.has(drug("Insulinlike factor"))
    assert not value_sets.STEROID.has(drug("Fludrocortisone 0.1 MG"))

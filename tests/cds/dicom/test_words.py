"""Text, numbers and UIDs as DICOM allows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID
from pydicom.valuerep import PersonName
from pytest_django import Settings

from cds.dicom import words
from cds.errors import BadInput

NAMES = st.text(st.characters(codec="utf-8"), max_size=90)


@given(family=NAMES, given=NAMES, middle=NAMES)
def test_no_name_breaks_out_of_its_component(family: str, given: str, middle: str) -> None:
    name = words.person_name(family=family, given=given, middle=middle)
    assert len(name) <= 64
    assert name.count("^") <= 2
    assert not set("\\=\r\n\x1b") & set(name)


def test_a_name_is_family_given_middle() -> None:
    name = PersonName(words.person_name(family="O'Neil=Smith", given="Ada^Ana", middle=""))
    assert (name.family_name, name.given_name, name.middle_name) == ("O'Neil Smith", "Ada Ana", "")


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_no_number_is_longer_than_a_decimal_string_may_be(value: float) -> None:
    assert len(str(words.decimal(value))) <= 16
    assert float(words.decimal(value)) == pytest.approx(value, abs=1e-4, rel=1e-9)


def test_a_tiny_negative_number_is_not_minus_zero() -> None:
    assert str(words.decimal(-1e-9)) == "0.0"


def test_text_that_no_character_set_holds_is_refused() -> None:
    with pytest.raises(BadInput, match="no character set"):
        words.paragraph("\ud800")


@pytest.mark.parametrize("number", ["", "A\\B", "A\nB", " A", "9" * 65])
def test_a_record_number_is_refused_rather_than_changed(number: str) -> None:
    with pytest.raises(BadInput, match="the record number"):
        words.identifying(number, what="the record number")


def test_a_long_description_is_shortened_to_one_line_which_shows() -> None:
    assert words.line("a\\b\n" + "c" * 60) == "a/b " + "c" * 60
    assert words.line("a\\b\n" + "c" * 61) == "a/b " + "c" * 57 + "…"
    assert words.line("医" * 22) == "医" * 20 + "…"


def test_the_same_names_give_the_same_uid_below_the_configured_root(settings: Settings) -> None:
    settings.DICOM_UID_ROOT = "1.2.826.0.1.3680043"
    first = words.uid("a", "study")
    assert first == words.uid("a", "study") != words.uid("a", "series")
    assert first.startswith("1.2.826.0.1.3680043.")
    assert UID(first).is_valid


@pytest.mark.parametrize("root", ["1." * 20 + "1", "2.025"])
def test_a_root_that_leaves_no_valid_uid_is_refused(root: str, settings: Settings) -> None:
    settings.DICOM_UID_ROOT = root
    with pytest.raises(BadInput, match="DICOM_UID_ROOT"):
        words.uid("a")

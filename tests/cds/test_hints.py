"""Words that hint at broken advice are found in whole words, whatever their case; polite comments raise nothing."""

from __future__ import annotations

import pytest

from cds.hints import HINTS, hints, in_words


@pytest.mark.parametrize(
    ("comment", "groups"),
    [
        ("This is WRONG", "wrong"),
        ("full of errors", "wrong"),
        ("Doesn't make sense here", "wrong"),
        ("doesn’t make sense here", "wrong"),
        ("wrong patient!!", "wrong,patient,anger"),
        ("keeps firing, please fix", "broken"),
        ("patient is allergic to it", "harm"),
        ("HbA1c was already done in May", "stale"),
        ("这个病人已经有糖尿病, 错误", "wrong,stale"),
        ("Patient declines, will ask again in spring", ""),
        ("Discussed terror of needles", ""),  # not "error"
        ("", ""),
    ],
)
def test_groups_of_words(comment: str, groups: str) -> None:
    assert hints(comment) == groups


def test_the_groups_are_said_in_words() -> None:
    assert in_words("wrong,anger") == ["says that it is wrong", "is angry"]
    assert in_words("") == []


def test_every_group_fits_into_its_column() -> None:
    assert len(",".join(HINTS)) <= 60

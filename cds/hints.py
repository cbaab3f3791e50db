"""Words in a clinician's comment that hint at broken advice, in groups. Our own list, open to review.

The idea is that of Aaron et al., "Cranky comments" (J Am Med Inform Assoc 2019;26:37-43): of the twenty rules that such
words ranked first, sixteen were broken.
"""

from __future__ import annotations

import re

HINTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "wrong": (
        "says that it is wrong",
        (
            *(
                "wrong",
                "incorrect",
                "inaccurate",
                "not correct",
                "not accurate",
                "not true",
                "untrue",
                "false",
                "error",
            ),
            *(
                "mistake",
                "mistaken",
                "misread",
                "makes no sense",
                "does not make sense",
                "doesn't make sense",
                "nonsense",
            ),
            *(
                "bogus",
                "not indicated",
                "inappropriate",
                "irrelevant",
                "not applicable",
                "does not apply",
                "doesn't apply",
            ),
            *("错误", "不对", "不正确", "不准确", "没有意义"),
        ),
    ),
    "broken": (
        "says that it is broken",
        (
            *(
                "broken",
                "bug",
                "buggy",
                "glitch",
                "malfunction",
                "misfire",
                "misfiring",
                "does not work",
                "doesn't work",
            ),
            *("not working", "please fix", "fix this", "needs fixing", "every time", "keeps firing", "keeps popping"),
            *("keeps coming", "again and again", "over and over", "already told", "故障", "坏了", "修复"),
        ),
    ),
    "harm": (
        "speaks of harm",
        (
            *(
                "harm",
                "harmful",
                "harmed",
                "unsafe",
                "dangerous",
                "danger",
                "hazard",
                "risky",
                "hurt",
                "injure",
                "kill",
            ),
            *("death", "fatal", "near miss", "contraindicated", "contraindication", "allergic", "allergy", "overdose"),
            *("bleeding", "malpractice", "lawsuit", "危险", "有害", "禁忌", "过敏"),
        ),
    ),
    "patient": (
        "speaks of another patient",
        (
            *("wrong patient", "different patient", "another patient", "not this patient", "not my patient"),
            *("wrong chart", "other patient", "mixed up", "deceased", "has died", "died", "错误的病人", "不是这个病人"),
        ),
    ),
    "stale": (
        "says that the record has moved on",
        (
            *(
                "outdated",
                "out of date",
                "old data",
                "stale",
                "obsolete",
                "no longer",
                "already done",
                "already ordered",
            ),
            *("already has", "already had", "already diagnosed", "already on", "resolved", "已经", "过时"),
        ),
    ),
    "anger": (
        "is angry",
        (
            *("stupid", "ridiculous", "useless", "worthless", "idiotic", "idiot", "dumb", "absurd", "annoying", "hate"),
            *(
                "garbage",
                "rubbish",
                "crap",
                "waste of time",
                "stop this",
                "make it stop",
                "turn this off",
                "turn it off",
            ),
            *("go away", "leave me alone", "wtf", "!!", "荒谬", "没用", "愚蠢"),
        ),
    ),
}


def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(_word(word) for word in words), re.IGNORECASE)


def _word(word: str) -> str:
    """A whole word, or several of it, where the script parts words; otherwise anywhere."""
    written = re.escape(word).replace("'", "['’]")
    return rf"\b{written}s?\b" if word[0].isascii() and word[0].isalpha() else written


_PATTERNS = {group: _pattern(words) for group, (_, words) in HINTS.items()}


def hints(comment: str) -> str:
    """The groups that it holds words of, as "wrong,anger"; "" for none."""
    return ",".join(group for group, pattern in _PATTERNS.items() if pattern.search(comment))


def in_words(groups: str) -> list[str]:
    """As in ["says that it is wrong"], for the page."""
    return [HINTS[group][0] for group in groups.split(",") if group in HINTS]

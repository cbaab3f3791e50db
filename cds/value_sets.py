"""Which codes mean what: sets of codes by system, and classes of drugs, as plug-ins define them.

Written out, since no terminology server stands on the hook's path. Drugs are matched by name in the text as well: a
prescription carries the code of a product, of which there are thousands, and its text nearly always names the
ingredient or the brand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from cds.codes import ATC, RXNORM, SNOMED, Code
from cds.facts import Coded, Drug


def snomed(*lists: str) -> frozenset[Code]:
    """Codes written one after the other, with a space between."""
    return frozenset(Code(SNOMED, code) for codes in lists for code in codes.split())


def begin(system: str, *prefixes: str) -> tuple[tuple[str, str], ...]:
    """Codes of `system` that begin so, written without the dot."""
    return tuple((system, prefix) for prefix in prefixes)


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class ValueSet(Struct, frozen=True, kw_only=True):
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


class DrugClass(Struct, frozen=True, kw_only=True):
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

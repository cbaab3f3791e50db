"""Errors that the scoring layer raises on purpose.

ScoringError
├── ModelMissing    no approved version of that name
├── NothingBefore   the version in use has replaced none
├── ModelDamaged    the artefact is not the one whose sha256 was recorded
├── ModelChanged    another artefact under a version that is already on the shelf
├── RecipeMissing   nobody declared how to train that
├── RecipeUnusable  it asks for what serving does not do
└── CohortUnusable  the data folder does not hold what the recipe reads
"""

from __future__ import annotations


class ScoringError(Exception):
    """Base of all errors of this layer. `retry`: would the same call work later?"""

    retry = False


class ModelMissing(ScoringError):
    def __init__(self, name: str, version: str | None = None) -> None:
        super().__init__(f"no version {version} of model {name}" if version else f"no approved version of model {name}")


class NothingBefore(ScoringError):
    def __init__(self, name: str) -> None:
        super().__init__(f"no version of {name} was in use before this one")


class ModelDamaged(ScoringError):
    def __init__(self, name: str, version: str, *, reason: str) -> None:
        super().__init__(f"model {name} {version} is not used: {reason}")


class ModelChanged(ScoringError):
    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"model {name} {version} is on the shelf already and differs: give the new artefact a new version number"
        )


class RecipeMissing(ScoringError):
    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"no recipe {name}; known: {', '.join(known) or 'none'}")


class RecipeUnusable(ScoringError):
    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"recipe {name} cannot be followed: {reason}")


class CohortUnusable(ScoringError):
    pass

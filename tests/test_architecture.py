"""The layers hold: the import contracts of pyproject.toml."""

from __future__ import annotations

from importlinter.cli import lint_imports


def test_imports_obey_the_layers() -> None:
    assert lint_imports(no_cache=True) == 0

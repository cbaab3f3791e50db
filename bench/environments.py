"""The peer's own virtual environment and a folder with orjson, made once and kept under var/bench."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEALTHCHAIN = "0.16.1"
# httptools and uvloop make uvicorn about as quick as it gets: the peer is to be shown at its best.
_PEER = (f"healthchain=={HEALTHCHAIN}", "xgboost-cpu==3.2.0", "httptools", "uvloop")
_ORJSON = ("orjson",)


def peer_python(home: Path) -> Path:
    """The interpreter of the peer's environment."""
    python = home / "peer" / "bin" / "python"
    if _stale(home / "peer", _PEER):
        subprocess.run([sys.executable, "-m", "venv", str(home / "peer")], check=True)
        _pip(python, *_PEER)
        _keep(home / "peer", _PEER)
    return python


def orjson_folder(home: Path, python: Path) -> Path:
    """A folder for PYTHONPATH that holds orjson and nothing else; installed with the peer's pip, as ours may be gone."""
    folder = home / "orjson"
    if _stale(folder, _ORJSON):
        _pip(python, "--upgrade", "--target", str(folder), *_ORJSON)
        _keep(folder, _ORJSON)
    return folder


def _stale(folder: Path, packages: tuple[str, ...]) -> bool:
    """Must it be made: is it absent, or of other packages?"""
    list_of = folder / "packages.txt"
    return not list_of.exists() or list_of.read_text() != "\n".join(packages)


def _keep(folder: Path, packages: tuple[str, ...]) -> None:
    (folder / "packages.txt").write_text("\n".join(packages))


def _pip(python: Path, *arguments: str) -> None:
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments], check=True
    )

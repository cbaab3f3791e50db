"""What the environment says is read strictly: rubbish in it stops the start."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "-inf", "ten"])
def test_what_is_no_number_from_0_on_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HOOK_WAIT", value)
    with pytest.raises(ImproperlyConfigured, match="HOOK_WAIT must be a number"):
        env.number("HOOK_WAIT", 0.4)


def test_a_secret_in_a_file_comes_before_the_variable_as_for_anything_else_that_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("from the file\n")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "file"))
    monkeypatch.setenv("SECRET_KEY", "from the variable")
    assert env.secret("SECRET_KEY", kept_in=tmp_path) == env.given("SECRET_KEY") == "from the file"

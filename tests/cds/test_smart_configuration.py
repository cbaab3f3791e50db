"""What an EHR says about its login, read the same by the guided page and by a launch."""

from __future__ import annotations

import json

import pytest

from cds.smart_configuration import from_well_known


@pytest.mark.parametrize(
    ("capabilities", "pkce", "version_1"),
    [
        (["permission-v2"], ["S256"], False),
        (["permission-v1", "permission-v2"], ["S256"], False),
        (["permission-v1"], ["S256"], True),
        ([], ["S256"], False),
        ([], None, True),
        (["permission-v2"], None, False),
    ],
)
def test_scopes_are_of_version_1_where_the_server_knows_no_other(
    capabilities: list[str], pkce: list[str] | None, version_1: bool
) -> None:
    told = {"capabilities": capabilities, "code_challenge_methods_supported": pkce}
    assert from_well_known(json.dumps(told).encode()).speaks_version_1 is version_1

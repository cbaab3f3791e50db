"""Marks on what stands in a chart, in each FHIR version, held against its models."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cds.fallbacks import as_diagnostic_report, as_document
from cds.fhir.amend import Deed, Mark, has_identifier, marked, revision, said
from cds.fhir.transaction import transaction
from cds.fhir.versions import Version
from cds.fhir.write import ASSESSMENT, require_valid
from cds.records import Charted
from tests.cds.saved import ASSESSMENT_ID, AT, OBSERVATION, REPORT, RISK

NOTE = "Taken back: <wrong> patient & more."
RECORDS: list[Charted] = [
    OBSERVATION,
    RISK,
    as_document(REPORT, OBSERVATION),
    as_diagnostic_report(REPORT, OBSERVATION),
]
ERROR = "entered-in-error"
# status, and docStatus for a document.
AFTER = {
    Mark.SUPERSEDED: ("amended", ("superseded", "amended")),
    Mark.RESTORED: ("final", ("current", "final")),
    Mark.WITHDRAWN: (ERROR, (ERROR, ERROR)),
    Mark.CONFIRMED: ("final", ("current", "final")),
}


def charted(version: Version, user: str = "Practitioner/p") -> list[dict[str, Any]]:
    """What stands in the chart of each of the four ways to say it."""
    bundle = transaction(RECORDS, fhir_user=user, confirmed_at=AT, version=version, beside=frozenset())
    return [entry["resource"] | {"id": "1", "meta": {"versionId": "1"}} for entry in bundle["entry"]]


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("mark", Mark)
def test_each_is_marked_in_the_words_of_its_type_and_stays_valid(version: Version, mark: Mark) -> None:
    for before in charted(version, user="" if mark is Mark.CONFIRMED else "Practitioner/p"):
        after = marked(before, mark, "" if mark is Mark.CONFIRMED else NOTE, version=version)
        status, document = AFTER[mark]
        is_document = after["resourceType"] == "DocumentReference"
        assert (after["status"], after.get("docStatus")) == (document if is_document else (status, None))
        require_valid(after, version)
        assert marked(after, mark, NOTE if mark is not Mark.CONFIRMED else "", version=version) == after


@pytest.mark.parametrize("version", Version)
def test_the_note_stands_beside_what_was_said_before_and_first_in_the_narrative(version: Version) -> None:
    for before in charted(version):
        after = marked(before, Mark.WITHDRAWN, NOTE, version=version)
        assert NOTE in said(after)
        assert {*said(before).split()} < {*said(after).split()}
        assert "><p>Taken back: &lt;wrong&gt; patient &amp; more.</p><p>" in after["text"]["div"]


def test_what_was_entered_in_error_stays_so() -> None:
    for before in charted(Version.R4):
        withdrawn = marked(before, Mark.WITHDRAWN, NOTE, version=Version.R4)
        for mark in (Mark.SUPERSEDED, Mark.CONFIRMED):
            assert marked(withdrawn, mark, "Another.", version=Version.R4) == withdrawn


def test_a_server_that_dropped_the_narrative_gets_one_that_says_it() -> None:
    risk = {name: value for name, value in charted(Version.R4)[1].items() if name != "text"}
    assert "Taken back" in marked(risk, Mark.WITHDRAWN, NOTE, version=Version.R4)["text"]["div"]


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("who", ["Practitioner/p", "Device/d", ""])
def test_the_provenance_of_a_mark_is_valid(version: Version, who: str) -> None:
    for mark in Mark:
        deed = Deed(mark=mark, at=AT + timedelta(days=1), who=who, changed=("RiskAssessment/1/_history/1",))
        require_valid(version.writes(revision(["RiskAssessment/1"], deed)), version)


def test_it_is_known_by_its_identifier_in_every_version() -> None:
    for version in Version:
        assert all(has_identifier(one, ASSESSMENT, beginning=ASSESSMENT_ID) for one in charted(version))
        assert not any(has_identifier(one, ASSESSMENT, beginning="another") for one in charted(version))

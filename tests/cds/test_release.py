"""Another version of a model takes two people; the way back takes one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cds import release
from cds.approval import Person
from cds.errors import BadInput
from cds.models import AuditEntry, Ehr, EnabledService, ModelChange
from scoring import shelf
from scoring.models import ModelVersion
from tests.cds.assessed import SERVICE, complete
from tests.cds.shelves import MODEL, draft

ANN = Person(name="Ann", key="a", approves=True)
BO = Person(name="Bo", key="b", approves=True)
CY = Person(name="Cy", key="c")
WHY = "Better for people over 60"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    shelf.forget()
    yield
    shelf.forget()


@pytest.fixture
def shipped() -> str:
    """The version that came with the code."""
    return shelf.active_version(MODEL)


@pytest.fixture
def live() -> EnabledService:
    """A hospital that shows answers of the model."""
    ehr = Ehr.objects.create(name="St. Elsewhere", fhir_base="https://elsewhere.example/fhir")
    return EnabledService.objects.create(ehr=ehr, service_id=SERVICE, stage="live")


def approved(version: ModelVersion, *, exception: str = "") -> ModelChange:
    change = release.ask(version, by=CY, why=WHY)
    release.approve(change, by=ANN, why="I agree", exception=exception)
    change.refresh_from_db()
    return change


def statuses() -> dict[str, str]:
    return dict(ModelVersion.objects.filter(name=MODEL).values_list("version", "status"))


def test_what_one_person_asks_for_another_one_puts_into_use(shipped: str) -> None:
    change = release.ask(draft(), by=CY, why=WHY)
    assert shelf.active_version(MODEL) == shipped
    release.approve(change, by=ANN, why="I agree")
    assert statuses() == {shipped: "retired", "9.0.0": "approved"}
    assert shelf.active_version(MODEL) == "9.0.0"
    row = ModelVersion.objects.get(version="9.0.0")
    assert (row.approved_by, row.replaces and row.replaces.version) == ("Cy, Ann", shipped)
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == ["ask-model", "approve-model"]
    assert AuditEntry.objects.get(action="approve-model").detail["before"] == shipped


def test_nobody_decides_on_what_they_asked_for_or_without_the_role(shipped: str) -> None:
    change = release.ask(draft(), by=ANN, why=WHY)
    with pytest.raises(BadInput, match="asked for this yourself"):
        release.approve(change, by=ANN, why="I agree")
    with pytest.raises(BadInput, match="clinical approver"):
        release.approve(change, by=CY, why="I agree")
    assert shelf.active_version(MODEL) == shipped


def test_a_refused_or_withdrawn_wish_may_be_asked_again(shipped: str) -> None:
    version = draft()
    release.refuse(release.ask(version, by=CY, why=WHY), by=ANN, why="Not yet")
    release.withdraw(release.ask(version, by=CY, why=WHY), by=CY)
    approved(version)
    assert shelf.active_version(MODEL) == "9.0.0"


def test_it_is_asked_for_once_and_not_when_it_is_in_use(shipped: str) -> None:
    version = draft()
    release.ask(version, by=CY, why=WHY)
    with pytest.raises(BadInput, match="Cy has asked for it already"):
        release.ask(version, by=BO, why=WHY)
    with pytest.raises(BadInput, match="in use already"):
        release.ask(ModelVersion.objects.get(name=MODEL, version=shipped), by=CY, why=WHY)


def test_where_answers_are_shown_the_version_needs_a_scorecard_of_its_own(shipped: str, live: EnabledService) -> None:
    version = draft()
    complete(live)  # of the version in use, which is no evidence for another one
    change = release.ask(version, by=CY, why=WHY)
    with pytest.raises(BadInput, match="0 of at least 300 assessments"):
        release.approve(change, by=ANN, why="I agree")
    complete(live, model_version="9.0.0")
    release.approve(change, by=ANN, why="I agree")
    change.refresh_from_db()
    assert (shelf.active_version(MODEL), change.exception) == ("9.0.0", "")
    assert (change.evidence or {})[str(live)]["assessed"] >= 300


def test_or_the_reason_why_not_which_is_audited(shipped: str, live: EnabledService) -> None:
    change = approved(draft(), exception="It mends a wrong unit")
    assert change.exception == "It mends a wrong unit"
    assert AuditEntry.objects.get(action="approve-model").detail["exception"] == "It mends a wrong unit"


def test_one_person_goes_back_at_once_with_a_reason(shipped: str) -> None:
    approved(draft())
    with pytest.raises(BadInput, match="Say why"):
        release.roll_back(MODEL, by=CY, why="")
    assert release.roll_back(MODEL, by=CY, why="Alerts on everybody").version == shipped
    assert statuses() == {shipped: "approved", "9.0.0": "retired"}
    entry = AuditEntry.objects.get(action="roll-back-model")
    assert (entry.actor, entry.detail["before"], entry.detail["after"]) == ("c", "9.0.0", shipped)
    change = ModelChange.objects.latest("pk")
    assert (change.alone, change.verdict, change.why) == (True, "made", "Alerts on everybody")


def test_before_the_first_version_there_is_nothing_to_go_back_to(shipped: str) -> None:
    with pytest.raises(BadInput, match="no version of diabetes-risk was in use before"):
        release.roll_back(MODEL, by=CY, why="Alerts on everybody")
    assert not ModelChange.objects.exists()


def test_a_damaged_version_is_not_put_into_use_and_the_wish_stays(shipped: str) -> None:
    version = draft()
    change = release.ask(version, by=CY, why=WHY)
    ModelVersion.objects.filter(pk=version.pk).update(artefact=b"rubbish")
    with pytest.raises(BadInput, match="sha256"):
        release.approve(change, by=ANN, why="I agree")
    change.refresh_from_db()
    assert (change.verdict, shelf.active_version(MODEL)) == ("waiting", shipped)


def test_a_draft_is_put_aside_with_what_was_asked_for_it(shipped: str) -> None:
    version = draft()
    change = release.ask(version, by=CY, why=WHY)
    with pytest.raises(BadInput, match="clinical approver"):
        release.retire(version, by=CY, why="Worse than before")
    release.retire(version, by=ANN, why="Worse than before")
    change.refresh_from_db()
    assert (change.verdict, statuses()["9.0.0"]) == ("refused", "retired")
    with pytest.raises(BadInput, match="Only a draft"):
        release.retire(ModelVersion.objects.get(version=shipped), by=ANN, why="Worse than before")


# --- A release's own model -----------------------------------------------------------------------------------------
@pytest.fixture
def older(shipped: str) -> str:
    """In use is the version of an older release, as after an upgrade of the code."""
    shelf.approve(MODEL, draft("0.9.0").version, by="release")
    ModelVersion.objects.filter(version=shipped).update(status="draft")
    return "0.9.0"


def test_it_follows_the_one_of_the_release_before(older: str, shipped: str) -> None:
    release.adopt_shipped()
    assert statuses() == {older: "retired", shipped: "approved"}
    assert AuditEntry.objects.get(action="adopt-model").subject == f"{MODEL} {shipped}"


def test_where_a_hospital_is_shown_answers_it_waits_for_two_people(
    older: str, shipped: str, live: EnabledService
) -> None:
    release.adopt_shipped()
    assert statuses() == {older: "approved", shipped: "draft"}
    EnabledService.objects.update(stage="silent")
    release.adopt_shipped()
    assert statuses()[shipped] == "approved"


def test_what_people_have_refused_is_not_adopted_behind_their_backs(older: str, shipped: str) -> None:
    version = ModelVersion.objects.get(version=shipped)
    release.refuse(release.ask(version, by=CY, why=WHY), by=ANN, why="Not yet")
    release.adopt_shipped()
    assert statuses()[shipped] == "draft"

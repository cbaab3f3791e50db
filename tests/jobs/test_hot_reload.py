"""Another version of the model comes into use while hooks are under way: every one is answered, each with its version."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import requests

from cds import release
from cds.approval import Person
from cds.models import Assessment, Ehr
from scoring import shelf
from smartapp.demo_ehr import hooks as emr
from tests.cds.shelves import MODEL, draft
from tests.conftest import finished

CALLS, AT_ONCE, BEFORE = 36, 4, 12


def call(body: dict[str, Any]) -> requests.Response:
    url = emr.endpoint("diabetes-risk")
    return requests.post(url, json=body, headers={"Authorization": f"Bearer {emr.sign(url)}"}, timeout=60)


def bodies() -> list[dict[str, Any]]:
    """One person at so many ages, so that nothing is answered from a row that is there already."""
    text = json.dumps(emr.hook_request("ada", emr.services()[0]))
    born = json.loads(text)["prefetch"]["patient"]["birthDate"]
    return [json.loads(text.replace(born, f"{1950 + number}-03-09")) for number in range(CALLS)]


def test_no_request_is_dropped_when_the_version_changes(hospital: Ehr) -> None:
    shelf.forget()
    before, version = shelf.active_version(MODEL), draft()
    wish = release.ask(version, by=Person(name="Cy", key="c"), why="Better for the old")
    enough = Event()
    answers: list[requests.Response] = []

    def ask(body: dict[str, Any]) -> None:
        answers.append(call(body))
        if len(answers) >= BEFORE:
            enough.set()

    with ThreadPoolExecutor(AT_ONCE) as clinicians:
        asked = [clinicians.submit(ask, body) for body in bodies()]
        assert enough.wait(120)
        release.approve(wish, by=Person(name="Ann", key="a", approves=True), why="I agree")
        for one in asked:
            one.result()
    shelf.forget()  # this process looks at once, and not only after LOOK_AGAIN_SECONDS
    answers.append(call(emr.hook_request("bruno", emr.services()[0])))

    assert {answer.status_code for answer in answers} == {200}
    assert len(answers) == CALLS + 1
    rows = [finished(row) for row in Assessment.objects.all()]
    assert {row.status for row in rows} == {"done"}
    assert {row.model_version for row in rows} == {before, version.version}
    for row in rows:
        outcome: Any = row.outcome
        assert outcome.estimate is None or outcome.estimate.version == row.model_version
    assert any(getattr(row.outcome, "estimate", None) for row in rows)

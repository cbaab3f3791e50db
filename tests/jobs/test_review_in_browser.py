"""A reviewer's round in a browser, wide and narrow: search the comments, replay a doubted answer, judge it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import expect

from cds import outcomes
from cds.feedback import report_wrong
from cds.models import Ehr
from cds.services.diabetes.tests.charts import glucose, measured, person
from tests.cds.answered import answered
from tests.jobs.at_the_admin import PASSWORD, chromium, looked_at, needs_chromium, signed_in

pytestmark = needs_chromium
COMMENT = "This makes no sense: the sample was taken after a big meal.\nPlease fix this."


@pytest.fixture
def doubted(hospital: Ehr) -> None:
    user = User.objects.create_user("Grey", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="clinical approver"))
    ehr = Ehr.objects.create(name="St. Elsewhere", fhir_base="https://elsewhere.example/fhir")
    for number in range(2, 9):
        facts = (glucose(100 + 9 * number), measured("bmi", 25 + number), measured("systolic", 120 + number))
        sex = ("female", "male")[number % 2]
        answered(ehr, *facts, patient=person(id=str(number), sex=sex), days=-number)
    pressure = (measured("systolic", 141), measured("diastolic", 88))
    assessment = answered(ehr, glucose(150), measured("bmi", 34), *pressure)
    outcomes.collect()
    report_wrong(assessment, actor="a", reason="facts", comment=COMMENT)


@pytest.mark.parametrize("width", [1280, 400])
def test_a_doubted_answer_is_found_replayed_and_judged(doubted: None, width: int) -> None:
    refused: list[str] = []
    with chromium() as browser:
        page = signed_in(browser, "Grey", width=width, refused=refused)
        page.get_by_role("link", name="Reports that an answer looks wrong").click()
        looked_at(page, "feedback", context="#result_list")
        page.get_by_role("link", name="Search comments").click()
        page.get_by_label("Words").fill("big meal")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("heading", name="1 found, 1 read")).to_be_visible()
        looked_at(page, "comments")
        page.locator("#content-main").get_by_role("link", name="Review").click()
        page.get_by_role("button", name="Replay now").click()
        expect(page.get_by_text("give the same answer again, to the byte")).to_be_visible()
        looked_at(page, "review")
        page.get_by_label("The answer was wrong").check()
        page.get_by_label("No", exact=True).check()
        page.get_by_label("Note").fill("Not fasting; HbA1c of the same day was 5.4 %")
        page.get_by_role("button", name="Keep the verdict").click()
        expect(page.get_by_text("It no longer waits for a review")).to_be_visible()
        looked_at(page, "reviewed")
    assert refused == []

"""A drift report in a browser, wide and narrow: found on the first page, read, put aside."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import expect

from cds import watch
from cds.models import Ehr
from scoring.models import DriftReport, Prediction
from tests.cds.answered import production
from tests.cds.test_watch import asked, many
from tests.jobs.at_the_admin import PASSWORD, chromium, looked_at, needs_chromium, signed_in

pytestmark = needs_chromium


@pytest.fixture
def watched(hospital: Ehr) -> None:
    user = User.objects.create_user("Ina", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="integrator"))
    ehr = production(hospital)
    many(ehr, 40, days=200)
    for number in range(240):
        row = asked(ehr, f"tested {number}", days=60 + 30 * (number % 4), label=number % 3 == 0)
        Prediction.objects.filter(pk=row.pk).update(probability=0.05 + 0.5 * ((number * 7) % 100) / 100)
    many(ehr, 40, days=3)
    many(ehr, 12, days=1, glucose=None)
    first = watch.watch_all()[0]
    DriftReport.objects.filter(pk=first.pk).update(made_at=first.made_at - timedelta(days=1))  # last night's
    watch.watch_all()


@pytest.mark.parametrize("width", [1280, 400])
def test_an_alarm_is_found_read_and_put_aside(watched: None, width: int) -> None:
    refused: list[str] = []
    with chromium() as browser:
        page = signed_in(browser, "Ina", width=width, refused=refused)
        page.get_by_role("link", name="Alarms about models").click()
        page.locator("#result_list tbody th a").first.click()
        expect(page.get_by_text("glucose is suddenly empty").first).to_be_visible()
        looked_at(page, "drift")
        page.get_by_label("What is behind it").fill("The laboratory's interface was down")
        page.get_by_role("button", name="Put aside").click()
        expect(page.get_by_text("The laboratory's interface was down")).to_be_visible()
    assert refused == []

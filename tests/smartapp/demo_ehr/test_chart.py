"""What a clinician sees in the chart, and what becomes of a card there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from smartapp.demo_ehr import tokens
from smartapp.demo_ehr.addresses import CLIENT_ID
from smartapp.demo_ehr.store import chart_store
from tests.smartapp.demo_ehr.conftest import App, Fhir

CHART = "/demo-ehr/chart/ada"
ORDER = {
    "resourceType": "ServiceRequest",
    "status": "draft",
    "intent": "proposal",
    "code": {"text": "HbA1c"},
    "subject": {"reference": "Patient/ada"},
}


def ask(**headers: str) -> Any:
    return Client().post(f"{CHART}/hook", headers={"X-Requested-With": "fetch", **headers})


def shown() -> Any:
    return ask().context["asked"].cards[0]


def suggest(app: App, resource: dict[str, Any]) -> None:
    app.card |= {
        "uuid": "card-1",
        "selectionBehavior": "at-most-one",
        "suggestions": [
            {
                "uuid": "s-1",
                "label": "Order it",
                "actions": [{"type": "create", "description": "Draft", "resource": resource}],
            }
        ],
    }


def test_the_list_names_the_cast() -> None:
    page = Client().get("/demo-ehr/").content.decode()
    assert all(
        name in page for name in ("Ada Lindqvist", "Bruno Costa", "陈伟", "Dara Okonkwo", "Emil Novák", "فرح حداد")
    )


def test_the_chart_shows_the_patient_and_leaves_out_what_was_withdrawn() -> None:
    page = Client().get(CHART).content.decode()
    assert "Ada Lindqvist" in page
    assert "121 mg/dL" in page
    assert "148/88" in page
    assert "999" not in page
    assert "Type 2 diabetes" not in page


@pytest.mark.parametrize("path", ["/demo-ehr/", CHART])
def test_a_page_holds_no_inline_script_or_style(path: str) -> None:
    answer = Client().get(path)
    page = answer.content.decode()
    assert "script-src 'self'; style-src 'self'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", page)


def test_a_chart_of_nobody_is_not_found() -> None:
    assert Client().get("/demo-ehr/chart/nobody").status_code == 404


def test_a_card_says_its_indicator_in_words(app: App) -> None:
    app.card |= {"indicator": "warning"}
    assert "Warning" in ask().content.decode()


def test_the_detail_is_markdown_without_html(app: App) -> None:
    app.card |= {"detail": "**18** in 100 <script>alert(1)</script> [x](javascript:alert(1))"}
    page = ask().content.decode()
    assert "<strong>18</strong>" in page
    assert "<script>" not in page
    assert 'href="javascript' not in page


def test_a_browser_without_script_gets_the_whole_chart_with_the_cards(app: App) -> None:
    page = Client().post(f"{CHART}/hook").content.decode()
    assert "<html" in page
    assert "Consider testing." in page


def test_an_error_of_the_service_is_shown_with_its_status(app: App) -> None:
    app.status = 412
    assert "412" in ask().content.decode()


def test_an_app_that_is_down_is_said_to_be_down(settings: Any) -> None:
    settings.BASE_URL = "http://127.0.0.1:1"
    assert "no connection" in ask().content.decode()


def test_an_accepted_suggestion_enters_the_chart_and_the_service_is_told(app: App) -> None:
    suggest(app, ORDER)
    page = Client().post(f"{CHART}/cards/{shown().key}/accept", {"suggestion": "0"}).content.decode()
    path, body, _ = app.told[-1]
    assert "Draft" in page
    assert [order["status"] for order in chart_store().all("ServiceRequest")] == ["draft"]
    assert path == "/cds-services/risk/feedback"
    assert body["feedback"][0]["acceptedSuggestions"] == [{"id": "s-1"}]
    assert body["feedback"][0]["outcome"] == "accepted"


def test_a_suggestion_about_another_patient_changes_nothing(app: App) -> None:
    suggest(app, ORDER | {"subject": {"reference": "Patient/bruno"}})
    page = Client().post(f"{CHART}/cards/{shown().key}/accept", {"suggestion": "0"}).content.decode()
    assert "the chart is unchanged" in page
    assert chart_store().all("ServiceRequest") == []


def test_an_override_is_reported_with_its_reason(app: App) -> None:
    reason = {"code": "known", "system": "https://example.org/why", "display": "Already known"}
    app.card |= {"uuid": "card-1", "overrideReasons": [reason]}
    Client().post(f"{CHART}/cards/{shown().key}/override", {"reason": "0", "comment": "seen last week"})
    told = app.told[-1][1]["feedback"][0]
    assert (told["card"], told["outcome"]) == ("card-1", "overridden")
    assert told["overrideReason"] == {"reason": reason, "userComment": "seen last week"}


def test_a_card_belongs_to_the_chart_it_was_shown_in(app: App) -> None:
    suggest(app, ORDER)
    answer = Client().post(f"/demo-ehr/chart/bruno/cards/{shown().key}/accept", {"suggestion": "0"})
    assert answer.status_code == 404


def test_a_smart_link_launches_the_app_with_its_context(app: App) -> None:
    app.card |= {"links": [{"label": "See why", "type": "smart", "url": f"{app.url}/launch", "appContext": "why"}]}
    answer = Client().get(f"{CHART}/launch", {"card": shown().key, "link": "0"})
    place = urlsplit(answer.headers["Location"])
    query = parse_qs(place.query)
    assert f"{place.scheme}://{place.netloc}{place.path}" == f"{app.url}/launch"
    assert query["iss"][0].endswith("/demo-ehr/fhir")
    assert tokens.open_token(query["launch"][0], use="launch")["app_context"] == "why"


def test_a_smart_link_to_another_place_is_refused(app: App) -> None:
    app.card |= {"links": [{"label": "See why", "type": "smart", "url": "https://elsewhere.example/launch"}]}
    key = shown().key
    assert Client().get(f"{CHART}/launch", {"card": key, "link": "0"}).status_code == 404


def test_what_the_app_saved_is_listed(for_ada: Fhir) -> None:
    for_ada.post(
        "RiskAssessment",
        {
            "resourceType": "RiskAssessment",
            "status": "final",
            "subject": {"reference": "Patient/ada"},
            "method": {"text": "an estimate"},
            "prediction": [{"outcome": {"text": "HbA1c 6.5 % or more"}, "probabilityDecimal": 18.4}],
        },
    )
    assert chart_store().author(chart_store().all("RiskAssessment")[0]) == CLIENT_ID
    page = Client().get(f"{CHART}/results", headers={"X-Requested-With": "fetch"}).content.decode()
    assert "HbA1c 6.5 % or more: 18.4 %" in page


def test_forms_are_protected_against_other_sites() -> None:
    assert Client(enforce_csrf_checks=True).post(f"{CHART}/hook").status_code == 403


def test_the_demo_ehr_imports_nothing_of_ours() -> None:
    import smartapp.demo_ehr

    source = "\n".join(path.read_text() for path in Path(smartapp.demo_ehr.__path__[0]).glob("*.py"))
    ours = re.findall(r"^\s*(?:from|import) (cds|hooks|scoring|config|smartapp(?!\.demo_ehr))\b", source, re.MULTILINE)
    assert ours == []

"""The clinician's page, as the six people's charts make it look, and the one button on it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.utils import timezone

from cds.models import Assessment, AuditEntry, EnabledService
from cds.system import system_client
from scoring import shelf
from scoring.models import ModelVersion
from smartapp.demo_ehr import hooks
from smartapp.demo_ehr.prescribing import draft_of
from smartapp.demo_ehr.store import chart_store
from smartapp.models import SmartSession
from smartapp.views import LOOKS
from tests.smartapp.conftest import Browser
from tests.smartapp.pages import change_grant, only_assessment, text


# --- Several services
def test_dara_who_takes_metformin_sees_what_her_kidneys_allow(browser: Browser) -> None:
    page = browser.look("dara")
    assert "Taking metformin with eGFR 38 mL/min/1.73 m²" in page
    assert "reassess benefit and dose" in page
    assert "38\N{NO-BREAK SPACE}mL/min/1.73 m²" in page
    assert "eGFR in mL/min/1.73 m², oldest first: 54" in page
    assert "/services/metformin-renal" in page


def test_what_asks_for_something_stands_first_and_what_does_not_arise_last(browser: Browser) -> None:
    assert shown_order(browser.look("dara"))[0] == "metformin-renal"
    assert shown_order(browser.look("farah")) == ["diabetes-risk", "hypertension-risk", "metformin-renal"]


def test_the_card_about_a_prescription_opens_on_its_own_answer(browser: Browser) -> None:
    """Nobody else knows of the draft: read now, the record would say that bruno takes no metformin."""
    answer = hooks.call_hook("bruno", "metformin-renal", hook=hooks.ORDER_SIGN, orders=[draft_of("bruno")])
    (card,) = answer.json()["cards"]
    page = browser.look("bruno", card["links"][0]["appContext"])
    assert "Obtain one before starting metformin" in page
    assert shown_order(page) == ["metformin-renal", "diabetes-risk", "hypertension-risk"]


def test_a_service_without_a_model_does_not_speak_of_saving(browser: Browser) -> None:
    assert "There is no estimate to save" not in browser.look("dara")


def test_who_does_not_take_metformin_is_told_so(browser: Browser) -> None:
    assert "Metformin is neither being prescribed nor on the record as taken." in browser.look("bruno")


# --- What the page says ------------------------------------------------------------------------------------------
def test_ada_sees_her_probability_three_ways_that_agree(browser: Browser) -> None:
    page = browser.look("ada")
    (count,) = re.findall(r"<strong>(\d+) in 100</strong> <span", page)
    assert f"About {count} in 100 similar adults" in page
    assert f"{count}\N{NO-BREAK SPACE}%" in page
    assert page.count('class="on"') == int(count)
    assert "Women aged 60 to 69" in page


def test_the_table_names_each_factor_with_value_unit_and_date(browser: Browser) -> None:
    page = browser.look("ada")
    row = re.search(r"<tr><th scope=\"row\">Glucose.*?</tr>", page, re.DOTALL)
    assert row is not None
    assert "121\N{NO-BREAK SPACE}mg/dL" in row[0]
    assert re.search(r"\d+ \w{3} 20\d\d", row[0])
    assert "≈ +" in row[0]


def test_dara_who_has_diabetes_gets_the_reason_and_no_number(browser: Browser) -> None:
    page = browser.look("dara")
    assert "Diabetes is already on the record" in page
    assert "in 100" not in page
    assert "Save to chart" not in page


def test_emil_is_a_child(browser: Browser) -> None:
    assert "this check is for adults" in browser.look("emil")


def test_chen_is_told_what_is_missing(browser: Browser) -> None:
    page = browser.look("chen")
    assert "HbA1c: not on record" in page
    assert "Glucose: not on record" in page


def test_farahs_hba1c_is_shown_as_the_laboratory_reported_it(browser: Browser) -> None:
    assert "43\N{NO-BREAK SPACE}mmol/mol" in browser.look("farah")


def test_the_page_says_what_of_the_record_was_not_used(browser: Browser) -> None:
    chart_store().create(glucose("ada", value=5, unit="furlong"), author="a test")
    page = browser.look("ada")
    assert "unit &#x27;furlong&#x27; not understood" in page


def glucose(patient_id: str, *, value: float, unit: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
        "subject": {"reference": f"Patient/{patient_id}"},
        "effectiveDateTime": timezone.now().date().isoformat(),
        "valueQuantity": {"value": value, "unit": unit},
    }


def test_the_intent_of_the_launch_names_what_to_show_first_and_an_unknown_one_changes_nothing(browser: Browser) -> None:
    address = browser.open("ada")
    usual = shown_order(text(browser.client.get(address)))
    for intent, first in (("order-labs", usual[0]), (usual[-1], usual[-1])):
        change_grant(intent=intent)
        assert shown_order(text(browser.client.get(address)))[0] == first


def shown_order(page: str) -> list[str]:
    return re.findall(r'id="section-([^"]+)"', page)


def test_what_else_is_open_in_the_chart_is_named(browser: Browser) -> None:
    address = browser.open("ada")
    change_grant(also_open=("ImagingStudy/9",))
    assert "<code>ImagingStudy/9</code>" in text(browser.client.get(address))


# --- The banner --------------------------------------------------------------------------------------------------
def test_there_is_a_banner_unless_the_ehr_shows_one(browser: Browser) -> None:
    address = browser.open("ada")
    change_grant(need_patient_banner=False)
    assert "Lindqvist" not in text(browser.client.get(address))
    change_grant(need_patient_banner=True)
    page = text(browser.client.get(address))
    for shown in ("Ada Lindqvist", "61 years", "female", "NG-100461", "Demo hospital"):
        assert shown in page


def test_the_banner_never_reaches_the_database(browser: Browser) -> None:
    address = browser.open("ada")
    change_grant(need_patient_banner=True)
    browser.client.get(address)
    for row in (*Assessment.objects.all(), *SmartSession.objects.all(), *AuditEntry.objects.all()):
        assert "Lindqvist" not in repr(vars(row))


# --- States ------------------------------------------------------------------------------------------------------
@pytest.fixture
def pending(browser: Browser) -> str:
    """A page whose answer never comes; the address of its section."""
    browser.look("ada")
    assessment = only_assessment()
    Assessment.objects.update(status=Assessment.Status.QUEUED, result=None)
    session = SmartSession.objects.get()
    SmartSession.objects.update(shown=assessment)
    return f"/app/{session.id}/answers/{assessment.id}"


def test_a_pending_answer_is_asked_for_every_second(browser: Browser, pending: str) -> None:
    page = text(browser.client.get(pending.partition("answers")[0]))
    assert f'hx-get="{pending}?look=1"' in page
    assert 'hx-trigger="load delay:1s"' in page
    assert f"{pending}?look=8" in text(browser.client.get(f"{pending}?look=7"))


def test_an_answer_that_arrives_is_read_out(browser: Browser) -> None:
    page = browser.look("ada")
    assert 'id="news-diabetes-risk" role="status"></p>' in page
    session = SmartSession.objects.get()
    arrived = text(browser.client.get(f"/app/{session.id}/answers/{only_assessment().id}", {"look": "1"}))
    assert re.search(r'role="status" hx-swap-oob="true">No HbA1c on record\.', arrived)
    assert "Save to chart" in arrived


@pytest.mark.parametrize("look", [str(LOOKS), "", "x", "-1", "99999999999"])
def test_the_asking_ends_with_a_button(browser: Browser, pending: str, look: str) -> None:
    section = text(browser.client.get(pending, {"look": look}))
    assert "hx-get" not in section
    assert "Look again" in section


def test_a_failure_says_that_it_is_no_answer(browser: Browser, pending: str) -> None:
    Assessment.objects.update(status=Assessment.Status.FAILED)
    assert "this says nothing about the patient" in text(browser.client.get(pending, {"look": "2"}))


def test_a_failed_answer_is_tried_again_when_the_page_is(browser: Browser, pending: str) -> None:
    Assessment.objects.update(status=Assessment.Status.FAILED)
    assert " in 100" in text(browser.client.get(pending.partition("answers")[0]))


def test_required_data_that_cannot_be_had_is_named(browser: Browser) -> None:
    address = browser.open("ada")
    scopes = "launch openid patient/Patient.rs patient/Observation.rs"
    change_grant(token=hooks.bearer("ada", scopes))
    page = text(browser.client.get(address))
    assert "<strong>conditions</strong>" in page


def test_what_was_not_granted_is_not_read_and_is_said(browser: Browser) -> None:
    """The demo's token would allow it; the granted scopes, which the EHR has told us, do not."""
    address = browser.open("ada")
    change_grant(scopes=tuple(f"patient/{kind}.rs" for kind in ("Patient", "Observation", "Condition")))
    page = text(browser.client.get(address))
    assert "Not read, for the record system gave no permission: MedicationRequest" in page
    assert "medications" in only_assessment().context.unread


def test_a_category_that_was_not_granted_is_not_read_and_is_named(browser: Browser) -> None:
    address = browser.open("ada")
    whole = ("Patient", "Condition", "MedicationRequest", "ServiceRequest", "Procedure", "Encounter")
    laboratory = "patient/Observation.rs?category=laboratory"
    change_grant(scopes=(laboratory, *(f"patient/{kind}.rs" for kind in whole)))
    page = text(browser.client.get(address))
    assert "gave no permission: Observation (vital-signs)" in page
    assert "gave no permission: Observation (social-history)" in page
    unread = Assessment.objects.get(service_id="diabetes-risk").context.unread
    assert {"vitals", "pregnancy"} <= set(unread)
    assert "hba1c" not in unread


def test_without_the_permission_for_what_must_be_read_there_is_no_answer_and_it_is_said(browser: Browser) -> None:
    address = browser.open("ada")
    change_grant(scopes=("patient/Patient.rs", "patient/Observation.rs"))
    page = text(browser.client.get(address))
    assert "It gave Bedside no permission to read" in page
    assert "Condition" in page
    assert not Assessment.objects.filter(service_id="diabetes-risk").exists()


def test_what_the_clinicians_token_does_not_open_our_own_access_never_fetches(browser: Browser) -> None:
    own = system_client(browser.ehr, needed=["Condition.rs"])
    assert own.request_json("Condition?patient=ada")["total"]
    address = browser.open("ada")
    change_grant(scopes=("patient/Patient.rs", "patient/Observation.rs"))
    assert "It gave Bedside no permission to read" in text(browser.client.get(address))
    assert not Assessment.objects.filter(service_id="diabetes-risk").exists()


def test_a_token_that_the_ehr_no_longer_takes_ends_the_session(browser: Browser) -> None:
    address = browser.open("ada")
    change_grant(token="stale")
    ended = browser.client.get(address)
    assert ended.status_code == 403
    assert "This session has ended" in text(ended)


def test_without_permission_to_read_the_patient_the_page_says_so(browser: Browser) -> None:
    address = browser.open("ada")
    change_grant(token=hooks.bearer("ada", "patient/Observation.rs"))
    assert "No permission to read this chart" in text(browser.client.get(address))


def test_a_silent_service_is_never_shown(browser: Browser) -> None:
    address = browser.open("ada")
    EnabledService.objects.update(stage=EnabledService.Stage.SILENT)
    page = text(browser.client.get(address))
    assert "No check is switched on" in page
    assert not Assessment.objects.exists()


def test_a_canary_is_shown_to_its_users_only(browser: Browser) -> None:
    address = browser.open("ada")
    EnabledService.objects.update(stage=EnabledService.Stage.CANARY, canary_percent=0)
    assert "No check is switched on" in text(browser.client.get(address))
    EnabledService.objects.update(canary_percent=100)
    assert "No check is switched on" not in text(browser.client.get(address))


def test_another_patients_answer_cannot_be_had_through_this_session(browser: Browser) -> None:
    browser.look("bruno")
    brunos = only_assessment()
    adas = browser.open("ada")
    for path in (f"answers/{brunos.id}", f"plots/{brunos.id}/waterfall/wide/light.svg"):
        assert browser.client.get(f"{adas}{path}").status_code == 403
    assert browser.client.post(f"{adas}save/{brunos.id}").status_code == 403


def test_who_looked_is_in_the_audit_trail(browser: Browser) -> None:
    browser.look("ada")
    entry = AuditEntry.objects.get(action="view", subject=str(only_assessment().id))
    assert entry.patient_key == browser.ehr.pseudonym("ada")


def test_a_missing_model_is_a_failure_that_is_said(browser: Browser) -> None:
    address = browser.open("ada")
    ModelVersion.objects.update(status=ModelVersion.Status.RETIRED)
    shelf.forget()
    assert "this says nothing about the patient" in text(browser.client.get(address))


def test_the_page_sets_no_cookie_of_its_own(browser: Browser) -> None:
    assert not browser.client.get(browser.open("ada")).cookies


# --- Plots -------------------------------------------------------------------------------------------------------
def test_every_image_of_the_page_is_there_and_has_a_text(browser: Browser) -> None:
    page = browser.look("ada")
    sources = re.findall(r'(?:src|srcset)="(/app/[^"]+\.svg)"', page)
    assert len(sources) >= 10
    for source in sources:
        image = browser.client.get(source)
        assert image.status_code == 200, source
        assert image["Content-Type"] == "image/svg+xml"
        assert image["Cache-Control"] == "no-store"
    texts = re.findall(r'<img [^>]*alt="([^"]*)"', page)
    assert len(texts) == 4
    assert all(texts)


@pytest.mark.parametrize("name", ["waterfall/huge/light", "waterfall/wide/pink", "9/narrow/light", "x/narrow/light"])
def test_a_plot_that_there_is_not_is_not_found(browser: Browser, name: str) -> None:
    address = browser.open("ada")
    browser.client.get(address)
    assert browser.client.get(f"{address}plots/{only_assessment().id}/{name}.svg").status_code == 404

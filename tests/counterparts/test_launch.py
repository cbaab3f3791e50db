"""The launch against an authorization server that nobody here wrote, and "Save to chart" into a chart of strangers."""

from __future__ import annotations

import html
import re
import time
import uuid
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import msgspec
import pytest
import requests
from django.test import Client
from joserfc import jwt

from cds.connect import bearer_client
from cds.errors import FhirInvalid
from cds.fallbacks import as_diagnostic_report, as_document
from cds.fhir.amend import Deed, Mark, marked, revision
from cds.fhir.transaction import WITH_CARD, references, transaction
from cds.fhir.versions import Version
from cds.keys import signing_key
from cds.models import Ehr
from cds.records import Charted
from smartapp.models import SmartSession
from tests.cds.saved import ALGORITHM, AT, OBSERVATION, REPORT, RISK, essential
from tests.counterparts.hospital import PICKED, SECONDS, Hospital


class Browser:
    """Follows the hospital's redirects with its cookies, and talks to us with ours."""

    def __init__(self, ehr: Ehr) -> None:
        self.ehr = ehr
        self.app = Client(SERVER_NAME="localhost")

    def begin(self, ticket: str) -> str:
        begun = self.app.get("/launch", {"iss": self.ehr.fhir_base, "launch": ticket})
        assert begun.status_code == 302, begun.content.decode()
        return str(begun["Location"])

    def log_in(self, address: str) -> dict[str, str]:
        """What the authorization server sends to our callback."""
        with requests.Session() as hospital:
            while "/callback?" not in address:
                answer = hospital.get(address, allow_redirects=False, timeout=SECONDS)
                assert answer.is_redirect, answer.text
                address = urljoin(address, answer.headers["Location"])
        return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}

    def callback(self, query: dict[str, str]) -> Any:
        return self.app.get("/callback", query)

    def look(self, address: str) -> str:
        """The page, once nothing on it is pending any more: it is loaded anew, as the person would."""
        until = time.monotonic() + SECONDS
        while True:
            shown = self.app.get(address)
            assert shown.status_code == 200, shown.content.decode()
            page = str(shown.content.decode())
            if "Look again" not in page or time.monotonic() > until:
                return page

    def open(self, ticket: str) -> str:
        finished = self.callback(self.log_in(self.begin(ticket)))
        assert finished.status_code == 302, finished.content.decode()
        return str(finished["Location"])


@pytest.fixture
def browser(elsewhere: Ehr) -> Browser:
    return Browser(elsewhere)


def test_a_launch_ends_on_the_page_of_the_patient_whose_chart_is_open(browser: Browser, counterparts: Hospital) -> None:
    shown = browser.look(browser.open(counterparts.open_chart("ada")))
    assert "Ada Lindqvist" in shown
    assert "15 in 100" in shown


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_a_client_that_signs_is_let_in_again_and_again(
    browser: Browser, counterparts: Hospital, algorithm: str
) -> None:
    """The server takes no assertion twice, so each launch must bring a new one."""
    browser.ehr.client_id = f"bedside-{algorithm}"
    browser.ehr.client_kind, browser.ehr.client_algorithm = Ehr.ClientKind.ASYMMETRIC, algorithm
    browser.ehr.save()
    for _ in range(2):
        browser.open(counterparts.open_chart("ada"))
    assert SmartSession.objects.count() == 2


def test_the_servers_rule_that_this_rests_on(browser: Browser, counterparts: Hospital) -> None:
    """It knows our key, and takes a token that it signed only once."""
    endpoint = f"{counterparts.url}/token"
    now, client = int(time.time()), "bedside-twice"
    claims = {"iss": client, "sub": client, "aud": endpoint, "iat": now, "exp": now + 60, "jti": str(uuid.uuid4())}
    key = signing_key("ES384")
    assertion = jwt.encode({"alg": "ES384", "kid": str(key.kid)}, claims, key, algorithms=["ES384"])
    form = {
        "grant_type": "refresh_token",
        "refresh_token": "unknown",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }
    answers = [requests.post(endpoint, data=form, timeout=SECONDS).json()["error"] for _ in range(2)]
    assert answers == ["invalid_grant", "invalid_client"]


def test_a_client_that_should_sign_and_does_not_is_not_let_in(browser: Browser, counterparts: Hospital) -> None:
    browser.ehr.client_id = "bedside-ES384"
    browser.ehr.save()
    assert browser.callback(browser.log_in(browser.begin(counterparts.open_chart("ada")))).status_code == 403
    assert not SmartSession.objects.exists()


def test_the_clinician_is_the_one_of_the_id_token(browser: Browser, counterparts: Hospital) -> None:
    browser.open(counterparts.open_chart("bruno"))
    assert SmartSession.objects.get().grant.user == "Practitioner/dr-okafor"


def test_a_standalone_launch_shows_the_patient_who_was_picked_there(browser: Browser, counterparts: Hospital) -> None:
    browser.ehr.standalone = True
    browser.ehr.save()
    begun = browser.app.get(f"/launch/standalone/{browser.ehr.pk}")
    finished = browser.callback(browser.log_in(begun["Location"]))
    assert finished.status_code == 302, finished.content.decode()
    assert SmartSession.objects.get().grant.patient_id == PICKED


def test_a_clinician_of_another_server_is_not_looked_up_there(browser: Browser, counterparts: Hospital) -> None:
    browser.open(counterparts.open_chart("bruno", user="https://elsewhere.example/fhir/Practitioner/1"))
    grant = SmartSession.objects.get().grant
    assert (grant.user, grant.user_name) == ("", "")


def test_no_more_is_asked_than_smart_defines(browser: Browser, counterparts: Hospital) -> None:
    asked = parse_qs(urlsplit(browser.begin(counterparts.open_chart("ada"))).query)
    required = {"response_type", "client_id", "redirect_uri", "scope", "state", "aud", "launch"}
    assert set(asked) == required | {"code_challenge", "code_challenge_method", "nonce"}


def test_members_of_the_token_response_that_we_do_not_know_are_ignored(
    browser: Browser, counterparts: Hospital
) -> None:
    strange = {
        "smart_style_url": "http://127.0.0.1:1/style.json",
        "__strange": {"a": [1]},
        "intent": "reconcile-medications",
        "fhirContext": [{"canonical": "https://ehr.example/plan"}, {"identifier": {"value": "7"}}, 7],
    }
    page = browser.app.get(browser.open(counterparts.open_chart("ada", **strange)))
    assert "Ada Lindqvist" in page.content.decode()


def test_a_launch_without_a_patient_is_stopped(browser: Browser, counterparts: Hospital) -> None:
    ticket = counterparts.open_chart("")
    stopped = browser.callback(browser.log_in(browser.begin(ticket)))
    assert stopped.status_code >= 400
    assert not SmartSession.objects.exists()


def test_a_ticket_that_the_ehr_does_not_know_is_stopped(browser: Browser) -> None:
    assert browser.callback(browser.log_in(browser.begin("guessed"))).status_code == 403


def test_a_code_is_good_once(browser: Browser, counterparts: Hospital) -> None:
    query = browser.log_in(browser.begin(counterparts.open_chart("ada")))
    assert browser.callback(query).status_code == 302
    assert browser.callback(query).status_code in {400, 403}


def test_a_stale_token_is_renewed_and_the_servers_rotation_followed(browser: Browser, counterparts: Hospital) -> None:
    browser.ehr.refresh = Ehr.Refresh.ONLINE
    browser.ehr.save()
    address = browser.open(counterparts.open_chart("ada"))
    refresh_tokens = []
    for _ in range(2):
        session = SmartSession.objects.get()
        refresh_tokens.append(session.grant.refresh_token)
        stale = msgspec.structs.replace(session.grant, token="stale")
        SmartSession.objects.update(encrypted_grant=msgspec.json.encode(stale))
        assert "Ada Lindqvist" in browser.app.get(address).content.decode()
    refresh_tokens.append(SmartSession.objects.get().grant.refresh_token)
    assert None not in refresh_tokens
    assert len(set(refresh_tokens)) == 3


def test_closing_gives_the_token_back(browser: Browser, counterparts: Hospital) -> None:
    address = browser.open(counterparts.open_chart("ada"))
    token = SmartSession.objects.get().grant.token
    assert counterparts.takes(token)
    shown = browser.app.get(address).content.decode()
    form = re.search(r'<form[^>]* action="([^"]+/logout)"[^>]*>(.*?)</form>', shown, re.S)
    assert form, "the page offers no way to close it"
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[2]))
    assert browser.app.post(html.unescape(form[1]), fields).status_code < 400
    assert not counterparts.takes(token)


def test_the_fallbacks_enter_the_strangers_chart_too(elsewhere: Ehr, counterparts: Hospital) -> None:
    kinds = ("DiagnosticReport", "DocumentReference", "Observation", "Device", "Provenance")
    client = bearer_client(elsewhere, counterparts.token(" ".join(f"patient/{kind}.c" for kind in kinds)))
    key = f"{uuid.uuid4()}"
    observation = msgspec.structs.replace(OBSERVATION, identifier=f"{key}-observation", derived_from=())
    report = msgspec.structs.replace(REPORT, assessment_id=key)
    records: list[Charted] = [
        observation,
        as_diagnostic_report(report, observation),
        as_document(report, observation),
    ]
    sent = transaction(records, fhir_user="Practitioner/dr-okafor", confirmed_at=AT, beside=WITH_CARD)
    made = references(client.post_json("", sent).content, sent=sent)
    assert [reference.partition("/")[0] for reference in made] == [
        *("Observation", "DiagnosticReport", "DocumentReference"),
        *("Device", "DocumentReference", "Provenance"),
    ]
    (found,) = [one for one in counterparts.read("DiagnosticReport") if one["identifier"][0]["value"].startswith(key)]
    assert found["result"] == [{"reference": made[0]}]


def test_the_stranger_takes_our_changes_and_only_of_the_version_that_was_read(
    elsewhere: Ehr, counterparts: Hospital
) -> None:
    client = bearer_client(elsewhere, counterparts.token("patient/*.cruds"))
    key = f"{uuid.uuid4()}"
    sent = essential([msgspec.structs.replace(RISK, identifier=key, basis=())], fhir_user="Practitioner/dr-okafor")
    (place,) = references(client.post_json("", sent).content, sent=sent)
    before, version = client.read(place)
    client.update(place, marked(before, Mark.WITHDRAWN, "Taken back.", version=Version.R4), if_match=version)
    with pytest.raises(FhirInvalid, match="412"):
        client.update(place, before, if_match=version)
    assert client.read(place)[0]["status"] == "entered-in-error"
    deed = Deed(mark=Mark.WITHDRAWN, at=AT, who="Practitioner/dr-okafor", changed=(f"{place}/_history/1",))
    assert client.post_json("Provenance", revision([place], deed)).status_code == 201
    client.delete(place, if_match=client.read(place)[1])
    assert not counterparts.read(f"RiskAssessment?identifier={key}")


def test_saving_twice_writes_one_risk_assessment_into_the_strangers_chart(
    browser: Browser, counterparts: Hospital
) -> None:
    address = browser.open(counterparts.open_chart("ada"))
    shown = browser.look(address)
    form = re.search(r'<form method="post" action="([^"]+/save/[^"]+)">(.*?)</form>', shown, re.S)
    assert form, "the page offers nothing to save"
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[2]))
    for _ in range(2):
        saved = browser.app.post(html.unescape(form[1]), fields)
        assert saved.status_code == 303, saved.content.decode()
    (assessment,) = counterparts.read("RiskAssessment?subject=Patient/ada")
    assert assessment["subject"]["reference"] == "Patient/ada"
    devices = counterparts.read("Device")
    (device,) = [one for one in devices if one["version"][0]["value"] != ALGORITHM.version]  # another test's
    assert assessment["performer"]["reference"] == f"Device/{device['id']}"
    assert counterparts.read("Provenance")
    cards = [f"DocumentReference/{one['id']}" for one in counterparts.read("DocumentReference")]
    assert device["extension"][-1]["valueReference"]["reference"] in cards

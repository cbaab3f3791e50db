"""A clinician at the demo hospital whose browser talks to the app as a frame in the chart would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client

from cds.models import Ehr
from smartapp.demo_ehr.context import launch_token
from tests.conftest import forget
from tests.serving import serving
from tests.smartapp.pages import form_of, text
from tests.smartapp.stranger import Hospital


@dataclass
class Browser:
    """Keeps our cookies; follows a launch by hand, so that a test can look at every step or change it."""

    ehr: Ehr
    client: Client = field(default_factory=lambda: Client(SERVER_NAME="localhost"))

    def launch(self, patient_id: str, app_context: str | None = None, **changed: Any) -> Any:
        query = {"iss": self.ehr.fhir_base, "launch": launch_token(patient_id, app_context), **changed}
        return self.client.get("/launch", query)

    def authorize(self, begun: Any) -> dict[str, str]:
        """What the EHR sends back through the browser: the query of the callback."""
        answer = requests.get(begun["Location"], allow_redirects=False, timeout=10)
        return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}

    def callback(self, query: dict[str, str]) -> Any:
        return self.client.get("/callback", query)

    def open(self, patient_id: str, app_context: str | None = None) -> str:
        """The address of the session's page."""
        finished = self.callback(self.authorize(self.launch(patient_id, app_context)))
        assert finished.status_code == 302, finished.content.decode()
        return str(finished["Location"])

    def look(self, patient_id: str, app_context: str | None = None) -> str:
        """The page itself."""
        shown = self.client.get(self.open(patient_id, app_context))
        assert shown.status_code == 200, shown.content.decode()
        return str(shown.content.decode())


@pytest.fixture
def browser(hospital: Ehr) -> Browser:
    return Browser(hospital)


@pytest.fixture
def saved(browser: Browser) -> str:
    """Ada's answer in the chart; the page that says so."""
    action, form = form_of(browser.look("ada"))
    return text(browser.client.get(browser.client.post(action, form)["Location"]))


@pytest.fixture
def stranger() -> Iterator[Hospital]:
    """A hospital on the network that nobody has registered."""
    forget()
    with serving(Hospital()) as server:
        yield server


@pytest.fixture
def other_ehr(stranger: Hospital, db: None) -> Ehr:
    """The same hospital, registered."""
    return Ehr.objects.create(
        name="Other hospital",
        fhir_base=f"{stranger.url}/fhir",
        client_id="bedside",
        hook_issuer=stranger.url,
        hook_jwks_url=f"{stranger.url}/jwks",
        frame_ancestors=stranger.url,
        private_network=True,
    )

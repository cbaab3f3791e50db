"""The main job, played once over real HTTP: a hook fires, a model answers, the clinician sees why, the chart keeps it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit
from wsgiref.types import WSGIApplication

import pydicom
import requests
from django.conf import settings
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

from config.celery import worker_answers
from smartapp.demo_ehr import hooks as hospital

PATIENT, SERVICE = "ada", "diabetes-risk"
START_SECONDS = 60


class StepFailed(Exception):
    """A step that did not do what it should; the text says what came instead."""


class Browser(requests.Session):
    """Treats http://localhost as browsers do: secure enough for Secure cookies."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(secure_protocols=("https", "http")))

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        prepared = super().prepare_request(request)
        prepared.headers.pop("Cookie", None)
        prepared.prepare_cookies(self.cookies)  # with our policy, which requests would leave behind
        return prepared


class MainJob:
    """What one step learns and the next needs. Each step returns one line for the reader."""

    def __init__(self) -> None:
        self.browser = Browser()
        self.service: dict[str, Any] = {}
        self.card: dict[str, Any] = {}
        self.page = requests.Response()
        self.assessment = ""

    def discovery(self) -> str:
        self.service = next(one for one in hospital.services() if one["id"] == SERVICE)
        return f"{self.service['id']} on {self.service['hook']}, {len(self.service['prefetch'])} prefetch templates"

    def hook(self) -> str:
        """patient-view with prefetch, vouched for by a signed JWT."""
        answer = expect(hospital.call_hook(PATIENT, SERVICE), 200)
        cards = answer.json()["cards"]
        if not cards or not cards[0].get("suggestions"):
            raise StepFailed(f"no card that offers the test: {cards}")
        self.card = cards[0]
        return f"{answer.elapsed.total_seconds() * 1000:.0f} ms: {self.card['summary']}"

    def launch(self) -> str:
        """EHR launch with PKCE, followed like a browser does, to the clinician's page."""
        link = next(link for link in self.card["links"] if link["type"] == "smart")
        launch = hospital.launch_token(PATIENT, link.get("appContext"))
        query = urlencode({"iss": f"{settings.DEMO_EHR_URL}/fhir", "launch": launch})
        self.page = expect(self.browser.get(f"{link['url']}?{query}", timeout=30), 200)
        steps = [urlsplit(step.headers["Location"]).path for step in self.page.history]
        if "code_challenge_method=S256" not in self.page.history[0].headers["Location"]:
            raise StepFailed("the authorization request carries no PKCE challenge")
        return " -> ".join(["/launch", *(path if len(path) < 30 else "/app/..." for path in steps)])

    def see_why(self) -> str:
        """The page names the patient, the probability and the factors."""
        text = self.page.text
        for wanted in ("Lindqvist", " in 100", "mg/dL", "Log-odds"):
            if wanted not in text:
                raise StepFailed(f"the page does not show {wanted!r}")
        return f"{len(text) // 1024} KB with banner, probability and contributions"

    def save(self) -> str:
        form = re.search(r'<form method="post" action="([^"]+/save/([^"]+))">(.*?)</form>', self.page.text, re.S)
        if form is None:
            raise StepFailed("the page offers nothing to save")
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[3]))
        self.assessment = form[2]
        target = urljoin(self.page.url, form[1])
        for _ in range(2):  # pressed twice, saved once
            self.page = expect(self.browser.post(target, data=fields, timeout=30), 200)
        if "Saved" not in self.page.text:
            raise StepFailed("the page does not say that it was saved")
        return "RiskAssessment and Observation in one transaction, pressed twice"

    def read_back(self) -> str:
        token = hospital.bearer(PATIENT)
        url = f"{settings.DEMO_EHR_URL}/fhir/RiskAssessment?patient={PATIENT}"
        found = expect(requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30), 200).json()
        entries = [entry["resource"] for entry in found.get("entry", [])]
        if len(entries) != 1:
            raise StepFailed(f"{len(entries)} RiskAssessments instead of one")
        percent = entries[0]["prediction"][0]["probabilityDecimal"]
        return f"RiskAssessment/{entries[0]['id']}: {percent} %"

    def archive(self) -> str:
        """The newest study in the folder: the structured report and its PDF, each as it says of itself."""
        files = sorted(Path(settings.DICOM_FOLDER).rglob("*.dcm"), key=lambda file: file.stat().st_mtime)
        found = {file: pydicom.dcmread(file) for file in files[-2:]}
        if {one.Modality for one in found.values()} != {"SR", "DOC"}:
            raise StepFailed("the folder has no structured report with its PDF")
        if len({one.StudyInstanceUID for one in found.values()}) != 1:
            raise StepFailed("the structured report and the PDF stand in two studies")
        return "; ".join(
            f"{one.Modality}, {one.VerificationFlag}, {file.stat().st_size} bytes" for file, one in found.items()
        )


STEPS = ("discovery", "hook", "launch", "see_why", "save", "read_back", "archive")


def play(say: Callable[[str], None]) -> str:
    """Play every step; "" or the name of the step that failed."""
    try:
        with serving():
            return _play(MainJob(), say)
    except StepFailed as error:
        say(f"FAIL  {'start':18} {error}")
        return "start"


def _play(job: MainJob, say: Callable[[str], None]) -> str:
    for name in STEPS:
        try:
            say(f"ok    {name.replace('_', ' '):18} {getattr(job, name)()}")
        except (StepFailed, requests.RequestException, LookupError, StopIteration) as error:
            say(f"FAIL  {name.replace('_', ' '):18} {error}")
            return name
    return ""


def expect(answer: requests.Response, status: int) -> requests.Response:
    if answer.status_code != status:
        raise StepFailed(f"{urlsplit(answer.url).path} answered {answer.status_code}: {answer.text[:300]}")
    return answer


@contextmanager
def serving() -> Iterator[None]:
    """Web and worker in this process: the demo hospital's keys live in its memory."""
    from config.wsgi import application

    if not worker_answers(START_SECONDS):
        raise StepFailed("no worker answers")
    server = _server(application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _server(application: WSGIApplication) -> ThreadedWSGIServer:
    server = ThreadedWSGIServer(("127.0.0.1", urlsplit(settings.BASE_URL).port or 80), _Quiet)
    server.set_app(application)
    return server


class _Quiet(WSGIRequestHandler):
    """No access log: its lines hold query strings."""

    def log_message(self, *_: Any) -> None:
        pass

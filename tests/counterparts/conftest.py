"""A hospital of published parts: `oidc-provider` logs in, `@medplum/fhir-router` keeps the chart of the demo's cast."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from joserfc.jwk import ECKey, RSAKey
from pytest_django.live_server_helper import LiveServer

from cds.models import Ehr, EnabledService
from cds.registry import all_services
from smartapp.demo_ehr.cast import read_cast
from tests.conftest import forget
from tests.counterparts.hospital import PICKED, SCOPES, Hospital
from tests.settings import SHARED_HOME

HERE = Path(__file__).parent
NODE = (20, 19)
INSTALL_SECONDS, START_SECONDS = 100, 30


@pytest.fixture(scope="session")
def parts() -> Path:
    """The folder with our three programs and what npm installs for them: fetched once for each lock file."""
    _require_node()
    locked = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = SHARED_HOME / "counterparts" / locked
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several processes that run the tests one installs
        _install(folder)
    return folder


def _install(folder: Path) -> None:
    for file in (*HERE.glob("*.mjs"), *HERE.glob("package*.json")):
        shutil.copy(file, folder)
    if not (folder / "installed").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=peer"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
        assert done.returncode == 0, f"npm could not install the counterparts: {done.stderr[-1000:]}"
        (folder / "installed").touch()


def _require_node() -> None:
    """CI has it (.ci/run installs it), so that there nothing is skipped."""
    why_not = _lacking()
    if why_not and not os.environ.get("CI"):
        pytest.skip(why_not)
    assert not why_not, why_not


def _lacking() -> str:
    if not (shutil.which("node") and shutil.which("npm")):
        return "node and npm are not installed: the counterparts cannot be started"
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(int(part) for part in told.removeprefix("v").split(".")[:2]) < NODE:
        return f"node {told} is older than the {NODE[0]}.{NODE[1]} that the counterparts need"
    return ""


@pytest.fixture(scope="session")
def counterparts(parts: Path, live_server: LiveServer) -> Iterator[Hospital]:
    """Both parts in one process of their own, on a port of their own."""
    hook_key = ECKey.generate_key("P-384", {"use": "sig", "alg": "ES384"}, auto_kid=True)
    login_key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    told = {
        "keys": [key.as_dict(private=True) for key in (login_key, hook_key)],
        "clients": _registrations(f"http://localhost:{urlsplit(live_server.url).port}"),
        "scopes": SCOPES,
        "fhirUser": "Practitioner/dr-okafor",
        "patient": PICKED,
        "resources": read_cast(),
    }
    command = ["node", str(parts / "hospital.mjs")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Hospital(url=_address(process, told), hook_key=hook_key)
    finally:
        process.terminate()
        process.wait(START_SECONDS)
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


def _registrations(app: str) -> list[dict[str, object]]:
    """Bedside as each kind of client that needs no secret; the confidential ones sign with the keys that we publish."""
    common = {
        "redirect_uris": [f"{app}/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }
    public: dict[str, object] = {"client_id": "bedside", "token_endpoint_auth_method": "none", **common}
    signing: dict[str, object] = {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": f"{app}/jwks.json",
        **common,
    }
    # The server keeps a client's keys for a while, and each test has keys of its own: so a client for each test.
    signs = {"bedside-ES384": "ES384", "bedside-RS384": "RS384", "bedside-twice": "ES384"}
    named = ({"client_id": name, "token_endpoint_auth_signing_alg": alg} for name, alg in signs.items())
    return [public, *(signing | names for names in named)]


def _address(process: subprocess.Popen[str], told: Mapping[str, object]) -> str:
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(told))
    process.stdin.close()
    line = process.stdout.readline()
    assert line, "the counterparts did not start; their standard error says why"
    return str(json.loads(line)["url"])


@pytest.fixture
def elsewhere(counterparts: Hospital, site: str, db: None) -> Ehr:
    """The hospital of published parts as a connected EHR, every service live."""
    forget()
    ehr = Ehr.objects.create(
        name="A hospital of published parts",
        fhir_base=f"{counterparts.url}/fhir",
        client_id="bedside",
        hook_issuer=counterparts.url,
        hook_jwks_url=f"{counterparts.url}/jwks",
        frame_ancestors=counterparts.url,
        mrn_system="urn:oid:2.16.840.1.113883.19.5.99.1",
        private_network=True,
    )
    for service in all_services():
        EnabledService.objects.create(ehr=ehr, service_id=service.id, stage=EnabledService.Stage.LIVE)
    return ehr

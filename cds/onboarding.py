"""Reach an EHR step by step, within the limits of `cds.http`: what it says of itself, or which step failed and what to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec
from django.utils import timezone
from msgspec import Struct

from cds.connect import archive_of, session_for
from cds.dicom import reach
from cds.errors import BadInput, CdsError, FhirError, FhirUnreachable
from cds.fhir.capability import Capability
from cds.fhir.decoding import UNREADABLE
from cds.fhir.searches import Announced
from cds.fhir.versions import R4, Dialect, dialect_in, spoken
from cds.http import allowed_addresses, origin
from cds.models import ConnectionTest, Ehr
from cds.public_keys import read_keys
from cds.smart_configuration import ADDRESSES, SmartConfiguration, from_metadata, from_well_known
from cds.system import system_client

_KEPT = timedelta(days=30)
_KEY_TYPE = {"ES": "EC", "RS": "RSA"}
T = TypeVar("T")


# --- The steps ---------------------------------------------------------------------------------------------------
class Step(Struct, frozen=True, kw_only=True):
    """One step and how it went. `problem` and `remedy` are empty where it went well."""

    name: str
    told: str = ""
    problem: str = ""
    remedy: str = ""
    tried: bool = True


class _Failed(Exception):
    """A step's problem, and what a person can do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


@dataclass(kw_only=True)
class Survey:
    """What was found, filled step by step."""

    ehr: Ehr
    steps: tuple[Step, ...] = ()
    metadata: bytes = b""
    capability: Capability | None = None
    dialect: Dialect | None = None
    smart: SmartConfiguration | None = None

    @property
    def failed(self) -> Step | None:
        return next((step for step in self.steps if step.problem), None)

    def other_origins(self) -> list[str]:
        """Where the login server is, as it says itself, if not at the FHIR base; an administrator agrees to it or not."""
        found = {_written(url) for url in _login_addresses(self.smart, self.ehr)} if self.smart else set()
        return sorted(found - {_written(self.ehr.fhir_base)})


Way = tuple[tuple[str, Callable[[Survey], str]], ...]


def look(ehr: Ehr) -> Survey:
    """Before it is connected: the FHIR side only. `ehr` need not be saved."""
    return _walk(Survey(ehr=ehr), _FHIR_STEPS, _SMART_STEPS)


def try_connection(ehr: Ehr) -> Survey:
    """All steps, and the row by which the first page of the admin knows whether the EHR is reachable."""
    began = time.monotonic()
    ehr.connection_tests.filter(tested_at__lt=timezone.now() - _KEPT).delete()
    survey = _walk(Survey(ehr=ehr), _FHIR_STEPS, _SMART_STEPS + _LAUNCH_STEPS, _SYSTEM_STEPS, _HOOK_STEPS)
    _follow(survey, _archive_way(ehr), possible=True)
    if survey.dialect:
        ehr.keep_dialect(survey.dialect)
    if survey.capability:
        ehr.keep_announced(Announced.by(survey.capability))
    ConnectionTest.objects.create(
        ehr=ehr,
        milliseconds=(time.monotonic() - began) * 1000,
        failed_step=survey.failed.name if survey.failed else "",
    )
    return survey


def _walk(survey: Survey, first: Way, *others: Way) -> Survey:
    """A failure ends its way, and on the first way all: what follows would fail for the same reason. Hooks need no launch."""
    possible = _follow(survey, first, possible=True)
    for way in others:
        _follow(survey, way, possible=possible)
    return survey


def _follow(survey: Survey, way: Way, *, possible: bool) -> bool:
    """Whether it led to its end."""
    for name, take in way:
        step = _take(name, take, survey) if possible else Step(name=name, tried=False)
        survey.steps = (*survey.steps, step)
        possible = possible and not step.problem
    return possible


def _take(name: str, take: Callable[[Survey], str], survey: Survey) -> Step:
    try:
        return Step(name=name, told=take(survey))
    except (_Failed, reach.Unreached) as failure:
        return Step(name=name, problem=str(failure), remedy=failure.remedy)
    except (CdsError, ValueError) as error:  # an address of theirs, or one that is entered here, is none
        problem = f"What was found or entered cannot be used ({type(error).__name__}: {error})."
        return Step(name=name, problem=problem, remedy="Check the addresses on this EHR's page and those it publishes.")


def _resolve(survey: Survey) -> str:
    host = urlsplit(survey.ehr.fhir_base).hostname or ""
    try:
        addresses = allowed_addresses(host, private_network=survey.ehr.private_network)
    except FhirUnreachable as error:
        raise _Failed(
            f"{host} does not resolve.",
            "Check the spelling; if it is right, ask the network team whether this server may look the name up.",
        ) from error
    except FhirError as error:
        raise _Failed(
            f"{host}: {error}.",
            "If the EHR is inside the hospital on purpose, tick “private network”; otherwise the address is wrong.",
        ) from error
    return f"{host} is known, at {len(set(addresses))} address{'es' if len(set(addresses)) > 1 else ''}"


def _connect(survey: Survey) -> str:
    """TCP and TLS; the answer itself is judged by the next step."""
    url = f"{survey.ehr.fhir_base.rstrip('/')}/metadata"
    wanted = survey.ehr.dialect or R4
    response = _get(survey.ehr, url, accept=wanted.media_type)
    if response.status_code != 200:
        raise _Failed(
            f"{url} was answered with {response.status_code}.",
            "The CapabilityStatement must be readable without login; check that the address ends with the FHIR base.",
        )
    survey.metadata = response.content
    scheme = urlsplit(url).scheme
    return "answered over TLS with a valid certificate" if scheme == "https" else "answered, without encryption"


def _read_metadata(survey: Survey) -> str:
    survey.capability = _decoded(
        survey.metadata,
        Capability,
        what="/metadata",
        remedy="Check that the address is the FHIR base and not a web page.",
    )
    found = survey.capability
    if found.resource_type != "CapabilityStatement":
        raise _Failed(
            "/metadata is not a CapabilityStatement.", "Check that the address is the FHIR base and not a resource."
        )
    software = f"{found.software.name} {found.software.version}".strip() if found.software else ""
    return f"{software or 'a server without a name'}, FHIR {found.fhir_version or 'of unknown version'}"


def _check_version(survey: Survey) -> str:
    said = survey.capability.fhir_version if survey.capability else ""
    survey.dialect = dialect_in(survey.metadata)
    if survey.dialect is None:
        raise _Failed(
            f"The server speaks FHIR {said or 'of unknown version'}.",
            f"{spoken()} is needed; ask for the base of such a version, most servers have one.",
        )
    several = ", one of several at this address" if survey.dialect.named else ""
    return f"FHIR {said} ({survey.dialect.version.name}{several}) is one that is read and written here"


def _read_smart(survey: Survey) -> str:
    url = f"{survey.ehr.fhir_base.rstrip('/')}/.well-known/smart-configuration"
    response = _get(survey.ehr, url, accept="application/json")
    status = response.status_code
    if status == 429 or status >= 500:
        raise _Failed(f"{url} was answered with {status}.", "Try again later; the server has it, or it would say 404.")
    found = _login_settings(response.content if status == 200 else None, survey)
    if not found.complete:
        both = f"{url} was answered with {status}, and the CapabilityStatement has no complete oauth-uris."
        raise _Failed(
            "The smart-configuration names no authorization_endpoint or no token_endpoint." if status == 200 else both,
            "Ask whether SMART App Launch is switched on; hooks work without it, launches do not.",
        )
    _require_addresses(found, survey.ehr)
    survey.smart = found
    if status != 200:
        return "none; the login's addresses stand in the CapabilityStatement (SMART version 1), so launches work"
    return f"{len(found.capabilities)} capabilities announced"


def _login_settings(well_known: bytes | None, survey: Survey) -> SmartConfiguration:
    """As a launch reads them."""
    try:
        return from_metadata(survey.metadata) if well_known is None else from_well_known(well_known)
    except UNREADABLE as error:
        what = "CapabilityStatement" if well_known is None else "smart-configuration"
        raise _Failed(f"The {what} is not the JSON that it should be.", "Report it to the EHR's vendor.") from error


def _require_addresses(found: SmartConfiguration, ehr: Ehr) -> None:
    try:
        for url in _login_addresses(found, ehr):
            origin(url)
    except (FhirError, ValueError) as error:
        raise _Failed("The EHR names a login address that is none.", "Report it to the EHR's vendor.") from error


def _login_addresses(found: SmartConfiguration, ehr: Ehr) -> list[str]:
    base = f"{ehr.fhir_base.rstrip('/')}/"
    told = (getattr(found, member) for member in ADDRESSES)
    return [urljoin(base, url) for url in told if url]


def _check_pkce(survey: Survey) -> str:
    methods = survey.smart.code_challenge_methods_supported if survey.smart else None
    if methods is None:
        return "not announced (a server of SMART version 1); PKCE is sent anyway"
    if "S256" not in methods:
        raise _Failed("The server does not support PKCE with S256.", "Ask the vendor: SMART App Launch 2 requires it.")
    return "S256"


def _read_hook_keys(survey: Survey) -> str:
    ehr = survey.ehr
    if not ehr.hook_issuer:
        return "no hook issuer is entered: calls of hooks are refused, launches work"
    if not ehr.hook_jwks_url:
        raise _Failed("No key URL is entered.", "Ask the EHR's people for the URL at which the keys of hooks stand.")
    response = _get(ehr, ehr.hook_jwks_url, accept="application/json", origins=(ehr.hook_jwks_url,))
    try:
        keys = read_keys(response.content) if response.ok else ()
    except ValueError as error:
        raise _Failed(
            f"What stands at {ehr.hook_jwks_url} is not a set of keys.", "Ask the EHR's people for the right URL."
        ) from error
    wanted = {_KEY_TYPE.get(name.strip()[:2], "") for name in ehr.hook_algorithms.split(",")}
    usable = [key for key in keys if key.kid and key.key_type in wanted]
    if not usable:
        raise _Failed(
            f"{ehr.hook_jwks_url} was answered with {response.status_code} and no key for {ehr.hook_algorithms}.",
            "Compare the algorithms of this EHR with those of its keys; each key needs a `kid`.",
        )
    return f"{len(usable)} key{'s' if len(usable) > 1 else ''} for {ehr.hook_algorithms}"


def _check_login(survey: Survey) -> str:
    """A smart-configuration may send clinicians only to where an administrator has agreed to."""
    agreed = {origin(url) for url in survey.ehr.login_origins.split()}
    strange = [url for url in survey.other_origins() if origin(url) not in agreed]
    if strange:
        raise _Failed(
            f"The login server is at {' '.join(strange)}, which is not the origin of the FHIR base.",
            "If that is the EHR's login server, enter it under “login origins”.",
        )
    return "at the FHIR base's origin or one that is entered here"


def _check_client(survey: Survey) -> str:
    if not survey.ehr.client_id:
        raise _Failed(
            "No client id is entered.",
            "Hand over the addresses below; the EHR's people register the app and tell you its client id.",
        )
    return "entered; whether the EHR knows it shows at the first launch"


def _check_system(survey: Survey) -> str:
    """Asks for a real token: that the EHR knows our client and its keys shows nowhere else."""
    if not survey.ehr.system_client_id:
        return "no client id for work without a user is entered: nothing runs at night, nothing is written by itself"
    try:
        system_client(survey.ehr, needed=["Patient.rs"])
    except CdsError as error:
        raise _Failed(
            f"{error}.",
            "Ask the EHR's people whether this client id is registered with our JWKS URL and may read system/Patient.",
        ) from error
    return "the EHR gives our system client a token"


_FHIR_STEPS: Way = (
    ("Host name and network address", _resolve),
    ("Connection and TLS", _connect),
    ("CapabilityStatement", _read_metadata),
    ("FHIR version", _check_version),
)
_SMART_STEPS: Way = (("SMART configuration", _read_smart), ("PKCE", _check_pkce))
_LAUNCH_STEPS: Way = (("Login server", _check_login), ("Client id", _check_client))
_SYSTEM_STEPS: Way = (("System access", _check_system),)
_HOOK_STEPS: Way = (("Keys of the hooks", _read_hook_keys),)


def _archive_way(ehr: Ehr) -> Way:
    """The archive is another system: it may work while the EHR does not, and the other way round."""
    try:
        return tuple((name, _of_archive(take)) for name, take in reach.steps(archive_of(ehr)))
    except BadInput as error:
        remedy = "Correct it on this EHR's page, under “Archive”."
        return (("Archive: settings", partial(_fail, f"{str(error)[:1].upper()}{str(error)[1:]}.", remedy)),)


def _of_archive(take: Callable[[], str]) -> Callable[[Survey], str]:
    return lambda _survey: take()


def _fail(problem: str, remedy: str, _survey: Survey) -> str:
    raise _Failed(problem, remedy)


def _get(ehr: Ehr, url: str, *, accept: str, origins: tuple[str, ...] = ()) -> Any:
    """Without a token; what the network refuses becomes a sentence."""
    try:
        return session_for(ehr, origins=origins).get(url, headers={"Accept": accept}, allow_redirects=False)
    except FhirUnreachable as error:
        raise _Failed(f"{url}: {_WORDS.get(str(error), f'no usable answer ({error})')}", _REMEDY) from error
    except CdsError as error:
        raise _Failed(f"{url}: {error}.", "Enter the address to which it finally leads, over https.") from error


_WORDS = {
    "SSLError": "no TLS: its certificate is not valid for this name, or it does not speak TLS.",
    "ConnectTimeout": "no connection within the time limit.",
    "ReadTimeout": "connected, but no answer within the time limit.",
    "ConnectionError": "the connection was refused or broken off.",
}
_REMEDY = (
    "Ask the network team whether this server may reach it, and the EHR's people whether it is up and its certificate "
    "complete."
)


def _written(url: str) -> str:
    """scheme://host[:port], as an administrator would type it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _decoded(content: bytes, kind: type[T], *, what: str, remedy: str) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except UNREADABLE as error:
        raise _Failed(f"The answer at {what} is not the JSON that it should be.", remedy) from error

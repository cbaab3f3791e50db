"""What the bearer of an access token may do."""

from __future__ import annotations

from dataclasses import dataclass

from smartapp.demo_ehr import addresses, tokens
from smartapp.demo_ehr.compartment import belongs_to
from smartapp.demo_ehr.outcomes import FhirError, Resource
from smartapp.demo_ehr.scopes import Scope, scopes_in
from smartapp.demo_ehr.search import Criteria, matches
from smartapp.demo_ehr.store import Store

revoked = tokens.OnceOnly()  # ids of grants that were given back, or whose refresh token was used twice


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Who asks, with which permissions; with a patient, only that patient's chart exists."""

    author: str
    scopes: tuple[Scope, ...]
    patient: str | None = None
    fhir_user: str | None = None

    @property
    def of_system(self) -> bool:
        """Of an app that works by itself."""
        return bool(self.scopes) and all(scope.level == "system" for scope in self.scopes)

    def require(self, kind: str, letter: str) -> None:
        """403 unless some scope covers the interaction, a letter of `cruds`."""
        if not self._covering(kind, letter):
            raise FhirError(403, "forbidden", f"no scope of the token allows this ({kind}.{letter})")

    def shows(self, resource: Resource, letter: str, *, store: Store) -> bool:
        """Granular scopes and the patient of the token decide, resource by resource."""
        if self.patient is not None and not belongs_to(resource, self.patient, store=store):
            return False
        allowed: list[Criteria] = [scope.criteria for scope in self._covering(resource["resourceType"], letter)]
        return any(matches(resource, criteria) for criteria in allowed) or self._is_user(resource)

    def _covering(self, kind: str, letter: str) -> list[Scope]:
        covering = [scope for scope in self.scopes if scope.covers(kind, letter)]
        # A `patient/` scope without a patient in context opens nothing (SMART, "Scopes").
        usable = [scope for scope in covering if scope.level != "patient" or self.patient is not None]
        if letter == "r" and self.fhir_user and kind == self.fhir_user.split("/")[-2]:
            usable.append(
                Scope(level="user", kind=kind, letters="r", criteria=(("_id", self.fhir_user.split("/")[-1]),))
            )
        return usable

    def _is_user(self, resource: Resource) -> bool:
        return bool(self.fhir_user) and str(self.fhir_user).endswith(f"{resource['resourceType']}/{resource['id']}")


def grant_of(access_token: str) -> Grant:
    """The rights in an access token of ours; 401 for any other."""
    try:
        claims = tokens.open_token(access_token, use="access")
    except tokens.BadToken as error:
        raise FhirError(401, "login", "the access token is not valid") from error
    if claims["aud"] != addresses.fhir_base():
        raise FhirError(401, "login", "the access token is for another server")
    if revoked.has(claims.get("grant", "")):
        raise FhirError(401, "login", "the access token was revoked")
    return Grant(
        author=claims["sub"],
        scopes=scopes_in(claims["scope"]),
        patient=claims.get("patient"),
        fhir_user=claims.get("fhirUser") if "fhirUser" in claims["scope"].split() else None,
    )


def access_token(
    scope: str, *, seconds: int, patient: str | None = None, user: str | None = None, grant: str | None = None
) -> str:
    """A signed, self-contained access token for the registered app; `grant` is the id by which it can be revoked."""
    context = {"patient": patient, "fhirUser": user, "grant": grant}
    return tokens.issue(
        "access",
        seconds=seconds,
        iss=addresses.hospital(),
        aud=addresses.fhir_base(),
        sub=addresses.CLIENT_ID,
        scope=scope,
        **{name: value for name, value in context.items() if value is not None},
    )

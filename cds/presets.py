"""What is known of vendors before the first connection: suggestions for the guided page, and warnings in plain words."""

from __future__ import annotations

from msgspec import Struct


class Preset(Struct, frozen=True, kw_only=True):
    """`hook_issuer` and `hook_jwks_url` may name `{base}`, the FHIR base; empty: only the EHR's people know it.

    How it is searched (cds.fhir.searches): `sorts`: it takes `_sort`, whatever its CapabilityStatement says; `page`: the
    entries of a page; `by_category`: types that must be searched by category; `not_by_code`: that cannot be by code.
    """

    key: str
    name: str
    hook_issuer: str = ""
    hook_jwks_url: str = ""
    hook_algorithms: str = "ES384,RS384"
    notes: tuple[str, ...] = ()
    sorts: bool = False
    page: int = 200
    by_category: frozenset[str] = frozenset()
    not_by_code: frozenset[str] = frozenset()

    def issuer_at(self, base: str) -> str:
        return self.hook_issuer.format(base=base)

    def keys_at(self, base: str) -> str:
        return self.hook_jwks_url.format(base=base)


PRESETS = (
    Preset(key="other", name="Another EHR"),
    Preset(
        key="epic",
        name="Epic",
        hook_issuer="{base}",
        hook_algorithms="RS384",
        notes=(
            "Audience, issuer and subject of the hook JWT are typed in by hand at Epic: hand over the URLs below exactly.",
            "Hooks are signed with RS384. The key URL has /PublicKeys/ in it; ask for it in full.",
            "A search for Observations needs a category; some searches by POST are answered with 404.",
            "MedicationRequest cannot be searched by code.",
            "A card appears as a Practice Advisory.",
        ),
        # A search of Observations by patient alone is answered 400, "required" (jwilleke/yourphr#754).
        by_category=frozenset({"Observation"}),
        not_by_code=frozenset({"MedicationRequest"}),
    ),
    Preset(
        key="oracle",
        name="Oracle Health",
        hook_issuer="https://cds-hooks.cerner.com",
        notes=(
            "The key URL of hooks must be one of those listed at authorization.cerner.com/jwk; enter that one.",
            "This issuer signs for all customers: ask for the hospital's tenant and enter it.",
            "Links in cards are removed unless their address was registered: register the launch URL.",
            "In its documentation of 2021 only the hook patient-view was offered: ask which hooks are there today.",
            "Tokens for systems live five minutes. Codes of the vendor's own cannot be searched for.",
            "A card with the indicator `critical` pops up in front of the chart.",
        ),
        page=100,  # fhir.cerner.com, R4 Observation: `_count` is capped at 100; `_sort` is not among the parameters
        not_by_code=frozenset({"MedicationRequest"}),  # there: MedicationRequest has no parameter `code`
    ),
    Preset(
        key="medplum",
        name="Medplum",
        notes=("Older versions ignore PKCE; it is sent anyway.",),
        sorts=True,  # medplum.com, "Basic Search": `_sort` by search parameters
    ),
    Preset(
        key="launcher",
        name="SMART Launcher",
        notes=(
            "A public test server with invented patients: keep the environment on Test.",
            "It calls no hooks; only the launch can be tried with it.",
        ),
        sorts=True,  # a HAPI FHIR server, whose statement names no `_sort`; it sorts by search parameters all the same
    ),
)
BY_KEY = {preset.key: preset for preset in PRESETS}

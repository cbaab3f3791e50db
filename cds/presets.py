"""What is known of vendors before the first connection: suggestions for the guided page, and warnings in plain words."""

from __future__ import annotations

from msgspec import Struct


class Preset(Struct, frozen=True, kw_only=True):
    """`hook_issuer` and `hook_jwks_url` may name `{base}`, the FHIR base; empty: only the EHR's people know it."""

    key: str
    name: str
    hook_issuer: str = ""
    hook_jwks_url: str = ""
    hook_algorithms: str = "ES384,RS384"
    notes: tuple[str, ...] = ()

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
    ),
    Preset(
        key="medplum",
        name="Medplum",
        notes=("Older versions ignore PKCE; it is sent anyway.",),
    ),
    Preset(
        key="launcher",
        name="SMART Launcher",
        notes=(
            "A public test server with invented patients: keep the environment on Test.",
            "It calls no hooks; only the launch can be tried with it.",
        ),
    ),
)
BY_KEY = {preset.key: preset for preset in PRESETS}

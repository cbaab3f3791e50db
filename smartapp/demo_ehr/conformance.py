"""What the hospital says of itself: CapabilityStatement, SMART configuration, OpenID configuration."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from smartapp.demo_ehr import addresses
from smartapp.demo_ehr.outcomes import Resource
from smartapp.demo_ehr.parameters import PARAMETERS, parameters_of
from smartapp.demo_ehr.subscriptions import BACKPORT, TOPIC

INTERACTIONS = ("read", "vread", "search-type", "create", "update", "delete")
OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
BULK_DATA = "http://hl7.org/fhir/uv/bulkdata"
SERVICE_TYPE = "http://terminology.hl7.org/CodeSystem/restful-security-service"


def capability_statement() -> Resource:
    return {
        "resourceType": "CapabilityStatement",
        "instantiates": [f"{BULK_DATA}/CapabilityStatement/bulk-data"],
        "status": "active",
        "date": datetime.now(UTC).date().isoformat(),
        "kind": "instance",
        "software": {"name": "Demo EHR"},
        "implementation": {"description": "A hospital of six invented patients", "url": addresses.fhir_base()},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": security(),
                "resource": [capability_of(kind) for kind in sorted(PARAMETERS)],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "operation": [exported("export")],
                "searchParam": [{"name": name, "type": "special"} for name in ("_count", "_sort")],
            }
        ],
    }


def security() -> Resource:
    uris = {
        "token": addresses.token_endpoint(),
        "authorize": addresses.hospital("/oauth/authorize"),
        "revoke": addresses.hospital("/oauth/revoke"),
    }
    return {
        "extension": [
            {"url": OAUTH_URIS, "extension": [{"url": name, "valueUri": uri} for name, uri in uris.items()]},
        ],
        "service": [{"coding": [{"system": SERVICE_TYPE, "code": "SMART-on-FHIR"}]}],
    }


def exported(name: str) -> Resource:
    """Bulk Data Access 3.0.0, OperationDefinitions."""
    return {"name": "export", "definition": f"{BULK_DATA}/OperationDefinition/{name}"}


def capability_of(kind: str) -> Resource:
    operations = {"Group": [exported("group-export")], "Patient": [exported("patient-export")]}.get(kind)
    return {
        **({"operation": operations} if operations else {}),
        **(SUBSCRIBED if kind == "Subscription" else {}),
        "type": kind,
        "interaction": [{"code": code} for code in INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": False,
        "conditionalCreate": True,
        "referencePolicy": ["literal", "enforced"],
        "searchParam": [{"name": name, "type": parameter.kind} for name, parameter in parameters_of(kind).items()],
    }


# Backport 1.1.0, "SubscriptionTopics in FHIR R4": there the topics are announced like this.
SUBSCRIBED = {
    "extension": [{"url": f"{BACKPORT}/capabilitystatement-subscriptiontopic-canonical", "valueCanonical": TOPIC}],
    "supportedProfile": [f"{BACKPORT}/backport-subscription"],
}
SCOPES = (
    "openid fhirUser launch launch/patient online_access offline_access patient/*.cruds user/*.cruds system/*.cruds"
).split()
CAPABILITIES = (
    "launch-ehr launch-standalone authorize-post client-public client-confidential-symmetric "
    "client-confidential-asymmetric sso-openid-connect context-banner context-ehr-patient "
    "context-ehr-encounter context-standalone-patient permission-offline permission-online "
    "permission-patient permission-user permission-v1 permission-v2"
).split()


def smart_configuration() -> dict[str, Any]:
    return {
        "issuer": addresses.hospital(),
        "jwks_uri": addresses.jwks_url(),
        "authorization_endpoint": addresses.hospital("/oauth/authorize"),
        "token_endpoint": addresses.token_endpoint(),
        "revocation_endpoint": addresses.hospital("/oauth/revoke"),
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        "response_types_supported": ["code"],
        "authorization_response_iss_parameter_supported": True,
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": SCOPES,
        "capabilities": CAPABILITIES,
    }


def openid_configuration() -> dict[str, Any]:
    return {
        "issuer": addresses.hospital(),
        "authorization_endpoint": addresses.hospital("/oauth/authorize"),
        "token_endpoint": addresses.token_endpoint(),
        "jwks_uri": addresses.jwks_url(),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nonce", "fhirUser"],
    }

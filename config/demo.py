"""The demo hospital as a connected EHR: what an administrator would otherwise enter in the admin."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

from cds import audit
from cds.models import Ehr, EnabledService, Subscription
from cds.notified import subscribe
from cds.registry import all_services


def hear_of_results(ehr: Ehr) -> Subscription:
    """Have the running hospital tell us of new results. What it was asked before, it forgot with its chart.

    Raises FhirError.
    """
    for row in ehr.subscriptions.all():
        subscribe.end(row, actor=audit.US)
    row = subscribe.offered(ehr)
    subscribe.ask(row, subscribe.listen(row, actor=audit.US))
    return row


def connect_demo_ehr() -> Ehr:
    """Register it, with every service live. Again changes only the addresses."""
    hospital = settings.DEMO_EHR_URL
    parts = urlsplit(hospital)
    ehr, _ = Ehr.objects.update_or_create(
        name="Demo hospital",
        defaults={
            "environment": Ehr.Environment.TEST,
            "fhir_base": f"{hospital}/fhir",
            "client_id": "bedside",
            "system_client_id": "bedside",
            "hook_issuer": hospital,
            "hook_jwks_url": f"{hospital}/oauth/jwks",
            "frame_ancestors": f"{parts.scheme}://{parts.netloc}",
            "mrn_system": "urn:oid:2.16.840.1.113883.19.5.99.1",
            "private_network": True,
            "standalone": True,
        },
    )
    for service in all_services():
        EnabledService.objects.get_or_create(
            ehr=ehr,
            service_id=service.id,
            # No cool-down: whoever opens an invented chart again wants to see the card again.
            defaults={"stage": EnabledService.Stage.LIVE, "cool_down_hours": 0},
        )
    return ehr

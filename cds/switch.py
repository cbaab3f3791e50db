"""Switch a service off at an EHR, at once: the stage is read at every call. Who did it and why is kept and audited."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from cds import audit, registry
from cds.errors import BadInput
from cds.models import Ehr, EnabledService

_SHORTEST_REASON = 5  # characters: "x" is not a reason


def switch_off(ehr: Ehr, service_ids: Iterable[str], *, by: str, actor: str, reason: str) -> list[str]:
    """The services that were on and are off now. `by`: a name for people; `actor`: as the audit names them."""
    reason = " ".join(reason.split())
    if len(reason) < _SHORTEST_REASON:
        raise BadInput("Say why, in a few words: whoever wants to switch it on again will read it.")
    off = EnabledService.Stage.OFF
    stopped = []
    with transaction.atomic():
        for service_id in service_ids:
            row, _ = EnabledService.objects.select_for_update().get_or_create(ehr=ehr, service_id=service_id)
            if row.stage == off:
                continue
            row.stage, row.off_reason, row.off_by, row.off_at = off, reason[:200], by[:150], timezone.now()
            row.save(update_fields=["stage", "off_reason", "off_by", "off_at"])
            audit.record("switch-off", actor=actor, ehr=ehr, subject=service_id, reason=reason[:200])
            stopped.append(service_id)
    return stopped


def known_services(ehr: Ehr) -> dict[str, str]:
    """Each service that is installed or has a row here, and its stage; one without a row is silent."""
    stages = {service.id: str(EnabledService.Stage.SILENT) for service in registry.all_services()}
    return stages | dict(ehr.services.values_list("service_id", "stage"))

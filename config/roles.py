"""The administrators' roles, as groups: made by `migrate`, so that they are the same wherever Bedside runs."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

_OURS = ("cds", "hooks", "scoring", "smartapp")
# What each may do beyond looking: `app.codename`.
ROLES: dict[str, tuple[str, ...]] = {
    "integrator": (
        *("cds.add_ehr", "cds.change_ehr"),
        *("cds.add_pacs", "cds.change_pacs", "cds.delete_pacs"),
        *("cds.resend_writeback", "cds.call_off_writeback", "cds.delete_knownlimit", "cds.listen"),
        *("cds.add_enabledservice", "cds.change_enabledservice", "cds.switch_off", "cds.ask_stage"),
        *("cds.ask_model", "cds.roll_back_model", "scoring.acknowledge_drift"),
        "cds.steer_run",
        "cds.ask_experiment",
        *("smartapp.add_backendclient", "smartapp.change_backendclient"),
    ),
    "clinical approver": (
        *("cds.change_enabledservice", "cds.switch_off", "cds.ask_stage", "cds.approve_stage"),
        *("cds.ask_model", "cds.approve_model", "cds.roll_back_model", "cds.review_feedback"),
        *("cds.ask_experiment", "cds.approve_experiment"),
        "cds.resend_writeback",
        *("cds.steer_run", "cds.open_worklist"),
        "scoring.acknowledge_drift",
    ),
    "safety officer": (
        *("cds.retract_writeback", "cds.resend_writeback", "cds.call_off_writeback"),
        *("cds.switch_off", "cds.review_feedback"),
    ),
    "auditor": (),
}


def make_roles(**_: Any) -> None:
    """After each migration; a permission that somebody gave to one of these groups by hand is taken back."""
    looking = Q(codename__startswith="view_", content_type__app_label__in=_OURS)
    for name, allowed in ROLES.items():
        rights = looking
        for right in allowed:
            app, codename = right.split(".")
            rights |= Q(content_type__app_label=app, codename=codename)
        group = Group.objects.get_or_create(name=name)[0]
        group.permissions.set(Permission.objects.filter(rights))

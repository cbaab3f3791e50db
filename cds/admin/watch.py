"""How each model does where it is used: the nightly reports, and one page for each, with its alarms first."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from cds import audit
from cds.admin import pages
from cds.admin.acting import why_field
from cds.admin.happened import ReadOnly
from cds.admin.pictures import LOOK, picture
from cds.models import Ehr
from scoring.models import DriftReport
from scoring.watch import AGAINST
from scoring.watch_plots import drift, over_time, psi_over_time

WIDE, NARROW = 420, 260  # pixels of the plotting area
LOOKS = 90  # nights that the course of the drift shows
FIGURES = {"auroc": "AUROC", "observed_expected": "Observed/expected", "sensitivity": "Sensitivity", "ppv": "PPV"}


class SeenForm(forms.Form):
    note = why_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].label = "What is behind it, or what is being done"


@admin.register(DriftReport)
class DriftReportAdmin(ReadOnly):
    list_display = ("made_at", "where", "service_id", "model_version", "people", "how_many", "waiting", "seen_by")
    list_filter = ("waiting", "service_id", "model_version", "made_at")
    ordering = ("-made_at",)

    @admin.display(description="EHR")
    def where(self, row: DriftReport) -> str:
        return _ehr_name(row)

    @admin.display(description="Alarms")
    def how_many(self, row: DriftReport) -> int:
        return len(row.alarms)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row: DriftReport = self.required(request, object_id)
        may = request.user.has_perm("scoring.acknowledge_drift")
        form = SeenForm(request.POST or None) if may and row.waiting else None
        if request.method == "POST":
            if form is None:
                raise PermissionDenied
            if form.is_valid():
                _put_aside(row, request, note=form.cleaned_data["note"])
                messages.success(request, "Put aside. It rings again only if something else changes.")
                return redirect("admin:scoring_driftreport_change", row.pk)
        title = f"{row.model_name} {row.model_version} at {_ehr_name(row)}"
        return pages.rendered(self, request, "driftreport/report", title, row=row, form=form, **_shown(row))


def _ehr_name(row: DriftReport) -> str:
    ehr = Ehr.objects.filter(pk=int(row.site)).first() if row.site.isdigit() else None
    return str(ehr or f"EHR {row.site}")


def _put_aside(row: DriftReport, request: HttpRequest, *, note: str) -> None:
    row.waiting, row.seen_by, row.seen_at, row.note = False, pages.name_of(request), timezone.now(), note
    ehr = Ehr.objects.filter(pk=int(row.site)).first()
    actor = pages.actor(request, ehr) if ehr else f"admin {request.user.pk}"
    audit.record("acknowledge-drift", actor=actor, ehr=ehr, subject=f"drift report {row.pk}", reason=note[:200])
    row.save(update_fields=["waiting", "seen_by", "seen_at", "note"])


def _shown(row: DriftReport) -> dict[str, Any]:
    """Alarms and words first, plots second, the numbers beneath."""
    outcomes, looks = row.findings["outcomes"], _looks(row)
    return {
        "drifts": [
            (AGAINST[name], shifts, _drift_plot(shifts), _drift_course(looks, name))
            for name, shifts in row.findings["drift"].items()
        ],
        "outcomes": outcomes,
        "figures": [
            (title, outcomes["weighted"][name], outcomes["among_tested"][name]) for name, title in FIGURES.items()
        ],
        "course": _course_plot(outcomes["over_time"]),
    }


def _drift_plot(shifts: list[dict[str, Any]]) -> str:
    if not any(shift["psi"] is not None for shift in shifts):
        return ""
    moved = [shift["feature"] for shift in shifts if shift["level"]]
    says = f"Moved beyond the limits: {', '.join(moved)}." if moved else "No column moved beyond the limits."
    wide, narrow = (drift(shifts, width=width, theme=LOOK) for width in (WIDE, NARROW))
    return picture(wide, says=f"{says} The table has all numbers.", narrow=narrow)


def _looks(row: DriftReport) -> list[DriftReport]:
    """This one and those before it of the same version at the same place, the oldest first."""
    same = DriftReport.objects.filter(
        site=row.site, service_id=row.service_id, model_name=row.model_name, model_version=row.model_version
    )
    return list(same.filter(made_at__lte=row.made_at).only("made_at", "findings").order_by("-made_at")[:LOOKS])[::-1]


def _drift_course(looks: list[DriftReport], against: str) -> str:
    found = [
        {"when": look.made_at.isoformat(), "feature": shift["feature"], "psi": shift["psi"]}
        for look in looks
        for shift in look.findings["drift"].get(against, ())
        if shift["psi"] is not None
    ]
    if len({one["when"] for one in found}) < 2:
        return ""
    wide, narrow = (psi_over_time(found, width=width, theme=LOOK) for width in (WIDE, NARROW))
    highest = max(found, key=lambda one: one["psi"])
    says = f"PSI of each column at {len(looks)} looks; the highest was {highest['psi']:.2f}, of {highest['feature']}."
    return picture(wide, says=says, narrow=narrow)


def _course_plot(periods: list[dict[str, Any]]) -> str:
    known = [one for one in periods if one["observed_expected"]]
    if not known:
        return ""
    wide, narrow = (over_time(known, width=width, theme=LOOK) for width in (WIDE, NARROW))
    return picture(wide, says="Calibration and AUROC by month; the table has all numbers.", narrow=narrow)

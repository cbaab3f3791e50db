"""The monthly attempts to renew a model: what came of each, the candidate beside the model in use."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from cds.admin import pages
from cds.admin.happened import ReadOnly
from scoring.models import TrainingRun
from scoring.renewal import in_words

NAMES = {"live": "In use", "recalibrated": "Recalibrated", "retrained": "Trained on"}


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnly):
    list_display = ("made_at", "model_name", "live_version", "status", "candidate")
    list_filter = ("status", "model_name", "made_at")
    list_select_related = ("candidate",)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row: TrainingRun = self.required(request, object_id)
        figures = row.report.get("figures", {})
        lines = [(NAMES[name], name == row.report["best"], figures[name]) for name in NAMES if name in figures]
        title = f"Renewal of {row.model_name} {row.live_version}"
        return pages.rendered(self, request, "trainingrun/run", title, row=row, said=in_words(row), lines=lines)

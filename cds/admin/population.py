"""Population runs: begin one, see how far it is and what became of everybody, pause, resume and cancel it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cds import population, registry, tasks
from cds.admin import pages, worklist
from cds.admin.acting import Acts, why_field
from cds.admin.happened import ReadOnly
from cds.approval import Person
from cds.bulk.accounts import unused
from cds.errors import BadInput
from cds.models import Ehr, Export, PopulationResult, PopulationRun
from cds.population.worklist import in_words
from cds.service import DecisionService

State = PopulationRun.State
FLAWS_LISTED = 200


EVERYBODY, CHANGED = "everybody", "changed"
FETCHED = [
    (EVERYBODY, "fetched, of everybody or of the group that is entered"),
    (CHANGED, "fetched, of whose record changed since the last run that asked the same"),
]


class SteerForm(forms.Form):
    why = why_field()


class BeginForm(forms.Form):
    """What is asked, and of whom. Folders lie where an administrator of this server has put them."""

    service_id = forms.ChoiceField(label="Question")
    ehr = forms.ModelChoiceField(
        Ehr.objects.filter(active=True).order_by("name"), label="EHR", help_text="Whose patients they are."
    )
    folder = forms.ChoiceField(
        label="Records", help_text="A folder below “incoming” in BULK_FOLDER, or what is fetched."
    )
    writes = forms.TypedChoiceField(
        label="Results",
        widget=forms.RadioSelect,
        coerce=lambda given: given == "policy",
        choices=[
            ("worklist", "are published to the worklist only"),
            ("policy", "are also written to the chart, where the service's policy there is “auto”"),
        ],
        initial="worklist",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        questions = [(service.id, service.title) for service in registry.all_services() if service.hooks]
        self.fields["service_id"].choices = questions  # type: ignore[attr-defined]
        self.fields["folder"].choices = [*((str(one), one.name) for one in incoming()), *FETCHED]  # type: ignore[attr-defined]


def incoming() -> list[Path]:
    """The folders that may be read from here: no path is typed, so none leads elsewhere."""
    root = Path(settings.BULK_FOLDER) / "incoming"
    return sorted(one for one in root.iterdir() if one.is_dir()) if root.is_dir() else []


@admin.register(PopulationRun)
class PopulationRunAdmin(ReadOnly):
    list_display = ("created_at", "service_id", "of_whom", "how_far", "asked_by")
    list_filter = ("state", "ehr", "service_id", "created_at")
    list_select_related = ("ehr",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("begin/", view(partial(begin, self)), name="cds_populationrun_begin"),
            path("<uuid:pk>/progress/", view(self.progress), name="cds_populationrun_progress"),
            *worklist.urls(self),
            *super().get_urls(),
        ]

    @admin.display(description="Of whom")
    def of_whom(self, run: PopulationRun) -> str:
        return of_whom(run)

    @admin.display(description="How far")
    def how_far(self, run: PopulationRun) -> SafeString:
        return format_html(
            "{}, {} of {}", run.get_state_display(), run.done, "?" if run.patients is None else run.patients
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A page of its own: nothing of a run is edited."""
        run = self.required(request, object_id)
        acts = RunActs(request, run)
        if request.method == "POST" and acts.do():
            return acts.back()
        return pages.rendered(self, request, "populationrun/run", _title(run), **_shown(run), acts=acts)

    def progress(self, request: HttpRequest, pk: str) -> HttpResponse:
        """The part of the page that changes while a worker is at it."""
        run = self.required(request, str(pk))
        return render(request, "admin/cds/populationrun/progress.html", _shown(run))


def begin(model_admin: PopulationRunAdmin, request: HttpRequest) -> HttpResponse:
    """Queued for a worker; nothing has been read yet."""
    if not request.user.has_perm("cds.steer_run"):
        raise PermissionDenied
    form = BeginForm(request.POST or None)
    if form.is_valid():
        given = form.cleaned_data
        try:
            run = population.open_run(
                registry.get(given["service_id"]),
                ehr=given["ehr"],
                **whom(given["folder"], ehr=given["ehr"], service=registry.get(given["service_id"])),
                writes=given["writes"],
                asked_by=pages.whoever(request),
            )
        except BadInput as error:
            form.add_error(None, f"{str(error)[:1].upper()}{str(error)[1:]}.")
        else:
            _hand_over(request, run)
            return redirect("admin:cds_populationrun_change", run.pk)
    return pages.rendered(model_admin, request, "populationrun/begin", "Ask about a population", form=form)


def whom(records: str, *, ehr: Ehr, service: DecisionService) -> dict[str, Any]:
    """Of a run, where its patients come from. Raises BadInput where nobody knows since when."""
    if records not in {EVERYBODY, CHANGED}:
        return {"detail": records}
    group = population.usual_group(ehr)
    asked = {"source": PopulationRun.Source.EXPORT, "detail": group}
    if records == EVERYBODY:
        return asked
    since = population.heard_until(service, ehr=ehr, detail=group)
    if since is None:
        raise BadInput("No finished run has asked the same by an export: ask about everybody first.")
    return {**asked, "since": since}


def _hand_over(request: HttpRequest, run: PopulationRun) -> None:
    try:
        tasks.sweep.apply_async((str(run.pk),), retry=False)
    except tasks.QueueDown:
        messages.warning(request, "The queue is down: a worker takes it up within minutes after it is back.")


class RunActs(Acts):
    """Who has the right may pause, resume and cancel, each with a reason."""

    route = "admin:cds_populationrun_change"
    form_of = dict.fromkeys(("pause", "resume", "cancel"), "steer")

    def __init__(self, request: HttpRequest, run: PopulationRun) -> None:
        self.actor = pages.actor(request, run.ehr) if run.ehr else pages.whoever(request)
        super().__init__(request, run, by=Person(name=pages.name_of(request), key=self.actor, approves=False))
        self.run = run
        if request.user.has_perm("cds.steer_run") and not run.over:
            self.forms = {"steer": SteerForm(self.data("steer"), prefix="steer")}

    @property
    def stopped(self) -> bool:
        return self.run.state in {State.PAUSED, State.FAILED}

    def pause(self, form: SteerForm) -> str:
        done = population.pause(self.run, why=form.cleaned_data["why"], actor=self.actor)
        return "It pauses after the block under way." if done else _too_late()

    def resume(self, form: SteerForm) -> str:
        if not population.resume(self.run, why=form.cleaned_data["why"], actor=self.actor):
            return _too_late()
        _hand_over(self.request, self.run)
        return "It goes on where it stopped."

    def cancel(self, form: SteerForm) -> str:
        done = population.cancel(self.run, why=form.cleaned_data["why"], actor=self.actor)
        return "Cancelled: what was answered stays, nobody else is asked." if done else _too_late()


def _too_late() -> str:
    raise BadInput("The run has gone on meanwhile: look at the page again.")


def of_whom(run: PopulationRun) -> str:
    """In words: the EHR, and which of its people."""
    where = str(run.ehr) if run.ehr else "No EHR"
    detail = Path(run.detail).name if run.source == PopulationRun.Source.FOLDER else run.detail
    whom = f"{where}, {detail or 'everybody'}"
    return f"{whom}, if changed after {run.since:%Y-%m-%d %H:%M} UTC" if run.since else whom


def _title(run: PopulationRun) -> str:
    titles = {service.id: service.title for service in registry.all_services()}
    return f"{titles.get(run.service_id, run.service_id)}: {of_whom(run)}"


def _shown(run: PopulationRun) -> dict[str, Any]:
    """How far, and what became of everybody: the parts add up to the whole."""
    counts = run.results.values_list("outcome", "reason").annotate(people=Count("pk")).order_by("-people")
    parts = [
        (
            outcome.label,
            sum(people for kind, _, people in counts if kind == outcome),
            [(in_words(reason), people) for kind, reason, people in counts if kind == outcome],
        )
        for outcome in PopulationResult.Outcome
    ]
    return {
        "run": run,
        "parts": parts,
        "left": run.patients - run.done if run.patients is not None and run.state != State.DONE else 0,
        "said": _said(run),
        "moves": run.state in {State.QUEUED, State.FETCHING, State.SCORING},
        "unused": [(name, one.lines, one.used, sorted(one.flaws.items())) for name, one in unused(run)],
        "flaws": run.flaws.order_by("file", "line")[:FLAWS_LISTED],
    }


def _said(run: PopulationRun) -> str:
    """What the EHR says of its export while it writes it (X-Progress); "" where it says nothing."""
    words = Export.objects.filter(run=run, run__state=State.FETCHING).values_list("progress", flat=True)
    return words.first() or ""

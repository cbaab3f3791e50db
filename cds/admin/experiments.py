"""Experiments: write a protocol and see what it takes, decide on it, start and stop it, and read what may be said by now."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from msgspec import UNSET

from cds import audit, registry
from cds.admin import pages
from cds.admin.acting import Acts, DecisionForm, why_field
from cds.admin.happened import ReadOnly
from cds.admin.pictures import LOOK, picture
from cds.errors import BadInput
from cds.experiments import Report, report, steer
from cds.models import EnabledService, Enrolment, Experiment
from cds.protocol import FORMS, METRICS, UNITS, Arm, Protocol
from cds.scorecard import Version, in_force
from cds.service import DecisionService
from scoring.errors import ModelMissing
from scoring.models import ModelVersion
from scoring.trial_plots import differences

WIDE, NARROW = 420, 180  # pixels of the plotting area
LISTED = 50  # patients on whom the two ways differ


class ProtocolForm(forms.Form):
    """What people say in per cent becomes fractions; each field's help says what it is for."""

    question = forms.CharField(label="Question", max_length=200, help_text="As in: does the card lead to more tests?")
    form = forms.ChoiceField(label="Form", choices=list(FORMS.items()), widget=forms.RadioSelect, initial="shadow")
    model_version = forms.ChoiceField(label="The other way: version of the model", required=False)
    threshold = forms.FloatField(
        label="The other way: alert from a probability of, per cent", min_value=0.1, max_value=99
    )
    unit = forms.ChoiceField(
        label="Drawn by",
        choices=list(UNITS.items()),
        initial="patient",
        help_text="By the patient, everybody who looks after them sees the same. A shadow draws nobody.",
    )
    places = forms.CharField(
        label="Departments that take part",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="If departments are drawn: one a line, as encounters name them in location or serviceProvider, such as "
        "Location/north-ward. Where none of them is named, patients see the way in force and do not count.",
    )
    share = forms.IntegerField(label="Share that gets the other way, per cent", min_value=1, max_value=50, initial=50)
    metric = forms.ChoiceField(
        label="Judged by the share of",
        choices=list(METRICS.items()),
        help_text="One, chosen before anybody has looked.",
    )
    days = forms.IntegerField(label="Follow-up, days", min_value=0, max_value=365, initial=90)
    baseline = forms.FloatField(
        label="Expected share, per cent",
        help_text="In the way in force. In a shadow: on how many of 100 patients the two ways will differ.",
    )
    difference = forms.FloatField(
        label="Smallest difference that matters, points", help_text="Below 0 where the other way should lead to less."
    )
    cluster = forms.FloatField(
        label="Patients a clinician or department",
        min_value=1,
        initial=1,
        help_text="If clinicians or departments are drawn: how many each will have while it runs.",
    )
    icc = forms.FloatField(
        label="How alike a clinician's or department's patients are (ICC)",
        min_value=0,
        max_value=0.99,
        initial=0.05,
        help_text="If either is drawn; in primary care mostly below 0.05 (Adams et al., J Clin Epidemiol 2004).",
    )
    looks = forms.IntegerField(
        label="Looks at the result",
        min_value=1,
        max_value=4,
        initial=1,
        help_text="The last one ends it. An earlier one ends it only if chance brings such a difference once in a thousand.",
    )
    why = why_field()

    def __init__(self, data: Any, *, now: Version, versions: list[str]) -> None:
        super().__init__(data, initial={"threshold": round(100 * now.threshold, 3), "model_version": now.model})
        self.now = now
        self.fields["model_version"].choices = [(one, one) for one in versions]  # type: ignore[attr-defined]
        if not versions:
            del self.fields["model_version"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors:
            try:
                given["protocol"] = self._protocol(given)
            except ValueError as error:
                self.add_error(None, str(error))
        return given

    def _protocol(self, given: dict[str, Any]) -> Protocol:
        withheld = given["form"] == "withheld"
        standing = Arm(model_version=self.now.model, threshold=self.now.threshold)
        entered = Arm(model_version=given.get("model_version") or self.now.model, threshold=given["threshold"] / 100)
        other = Arm(model_version=standing.model_version, threshold=standing.threshold, shown=False)
        places = tuple(given["places"].split())
        as_they_are = ("question", "form", "unit", "share", "metric", "days", "cluster", "icc", "looks")
        return Protocol(
            **{name: given[name] for name in as_they_are},
            standing=standing,
            other=other if withheld else entered,
            baseline=given["baseline"] / 100,
            difference=given["difference"] / 100,
            places=places or UNSET,
        )


class WhyForm(forms.Form):
    why = why_field()


def ask_page(model_admin: admin.ModelAdmin[EnabledService], request: HttpRequest, pk: int) -> HttpResponse:
    """Write the protocol; see how many patients it takes; then ask."""
    here = get_object_or_404(EnabledService.objects.select_related("ehr"), pk=pk)
    service = next((one for one in registry.all_services() if one.id == here.service_id), None)
    if service is None:
        raise Http404("this service is not installed")
    if not request.user.has_perm("cds.ask_experiment"):
        raise PermissionDenied
    form = _protocol_form(request, here, service)
    protocol = form.cleaned_data["protocol"] if form.is_bound and form.is_valid() else None
    if protocol and request.POST.get("do") == "ask":
        try:
            made = steer.ask(here, protocol, by=_person(request, here.ehr), why=form.cleaned_data["why"])
        except BadInput as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Asked: {protocol.size:,} patients.")
            return redirect("admin:cds_experiment_change", made.pk)
    shown = {"here": here, "ehr": here.ehr, "form": form, "protocol": protocol}
    return pages.rendered(model_admin, request, "experiment/ask", f"Experiment on {service.title}", **shown)


def _protocol_form(request: HttpRequest, here: EnabledService, service: DecisionService) -> ProtocolForm:
    try:
        now = in_force(here)
    except ModelMissing as error:
        raise Http404("no version of the model is in use") from error
    versions = ModelVersion.objects.filter(name=service.model or "").order_by("-created_at")
    return ProtocolForm(request.POST or None, now=now, versions=list(versions.values_list("version", flat=True)))


def _person(request: HttpRequest, ehr: Any) -> Any:
    return pages.person(request, pages.actor(request, ehr), approves="cds.approve_experiment")


@admin.register(Experiment)
class ExperimentAdmin(ReadOnly):
    heading = "Experiments"
    intro = "Two ways to run a service, compared. One is asked for on the page of a service's stage (Enabled services)."
    list_display = ("question", "state", "ehr", "service_id", "asked_at", "asked_by", "decided_by")
    list_filter = ("verdict", "ehr", "service_id", "asked_at")
    list_select_related = ("ehr",)

    @admin.display(description="Question")
    def question(self, row: Experiment) -> str:
        return row.protocol.question

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row: Experiment = self.required(request, object_id)
        acts = ExperimentActs(request, row)
        if request.method == "POST" and acts.do():
            return acts.back()
        title = f"Experiment {row.pk}: {row.service_id} at {row.ehr}"
        return pages.rendered(self, request, "experiment/page", title, **_shown(request, row, acts))


class ExperimentActs(Acts):
    """What this person may do with this experiment."""

    route = "admin:cds_experiment_change"
    form_of = {**Acts.form_of, **{name: name for name in ("start", "stop", "peek")}}

    def __init__(self, request: HttpRequest, row: Experiment) -> None:
        super().__init__(request, row, by=_person(request, row.ehr))
        self.experiment = row
        self.waiting = row if row.verdict == Experiment.Verdict.WAITING else None
        self.shortage = steer.shortage(row) if self.waiting else ""
        self.short = bool(self.shortage)
        self.forms = self.decision_forms(self.waiting, short=self.short)
        may = request.user.has_perm("cds.ask_experiment")
        offers = {
            "start": may and row.verdict == Experiment.Verdict.MADE and not row.started_at,
            "stop": (may or request.user.has_perm("cds.switch_off")) and row.running,
            "peek": may and row.started_at is not None,
        }
        for name, offered in offers.items():
            if offered:
                self.forms[name] = WhyForm(self.data(name), prefix=name)

    def approve(self, form: DecisionForm) -> str:
        steer.approve(self.experiment, by=self.by, **form.cleaned_data)
        return "Approved: the protocol is frozen. Nothing runs before somebody starts it."

    def refuse(self, form: DecisionForm) -> str:
        steer.refuse(self.experiment, by=self.by, why=form.cleaned_data["why"])
        return "Refused."

    def withdraw(self, form: forms.Form) -> str:
        steer.withdraw(self.experiment, by=self.by)
        return "Withdrawn."

    def start(self, form: WhyForm) -> str:
        steer.start(self.experiment, by=self.by, why=form.cleaned_data["why"])
        return "It runs from the next call on."

    def stop(self, form: WhyForm) -> str:
        steer.stop(self.experiment, by=self.by, why=form.cleaned_data["why"])
        return "Stopped: everybody gets the way in force from the next call on."

    def peek(self, form: WhyForm) -> str:
        steer.peek(self.experiment, by=self.by, why=form.cleaned_data["why"])
        return "Looked: that stays in the report."

    @property
    def wish(self) -> str:
        return self.experiment.protocol.question

    @property
    def would_mean(self) -> str:
        return "the protocol below is frozen; it is started by hand, after that."


def _shown(request: HttpRequest, row: Experiment, acts: ExperimentActs) -> dict[str, Any]:
    found = report(row) if row.started_at else None
    protocol = row.protocol
    return {
        "row": row,
        "ehr": row.ehr,
        "protocol": protocol,
        "form": FORMS[protocol.form],
        "unit": UNITS[protocol.unit],
        "metric": METRICS[protocol.metric],
        "places": _places(row),
        "percent": {name: 100 * getattr(protocol, name) for name in ("baseline", "difference")},
        "report": found,
        "progress": min(100, 100 * found.followed // found.size) if found else 0,
        "plot": _plot(found) if found else "",
        "apart": _apart(request, row, found) if found else None,
        "acts": acts,
    }


def _places(row: Experiment) -> dict[str, list[str]]:
    """The departments by their way; before it has started nobody is told which gets which."""
    places = row.protocol.places or ()
    if not row.started_at:
        return {"drawn when it starts": list(places)} if places else {}
    ways: dict[str, list[str]] = {"in force": [], "the other way": []}
    for place in places:
        other = row.arm_of(row.key_of(place)) == Enrolment.Arm.OTHER
        ways["the other way" if other else "in force"].append(place)
    return ways if places else {}


def _plot(found: Report) -> str:
    looks = [(f"{look.people:,} patients", True, look.effect) for look in found.looks]
    looks += [(f"{one.at:%-d %b %Y}, unplanned", False, one.effect) for one in found.peeks]
    if not any(effect.percent for _, _, effect in looks):
        return ""
    wide, narrow = (differences(looks, width=width, theme=LOOK) for width in (WIDE, NARROW))
    return picture(
        wide, says="The difference at each look with its 95 % interval; the text has the numbers.", narrow=narrow
    )


def _apart(request: HttpRequest, row: Experiment, found: Report) -> dict[str, Any] | None:
    """Who is told what differs by the way: links for those who may open an answer, which is audited."""
    if found.apart is None:
        return None
    sides = {"only the way in force": found.apart.only_standing, "only the other way": found.apart.only_other}
    listed = {}
    if request.user.has_perm("cds.view_assessment"):
        listed = {side: cases[:LISTED] for side, cases in sides.items()}
        count = sum(map(len, listed.values()))
        actor = pages.actor(request, row.ehr)
        audit.record("list-alerts", actor=actor, ehr=row.ehr, subject=f"experiment {row.pk}", listed=count)
    return {"counts": found.apart, "listed": listed, "figures": found.apart.figures}

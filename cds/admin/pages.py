"""Three pages about one EHR: connect it, test its connection, switch its services off."""

from __future__ import annotations

import json
from typing import Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from cds import audit, registry
from cds.admin.forms import AddressForm, ConnectForm, SwitchOffForm
from cds.approval import Person
from cds.http import origin
from cds.models import Ehr, EnabledService
from cds.onboarding import Survey, look, try_connection
from cds.outlook import client_kind, outlook
from cds.presets import BY_KEY
from cds.switch import known_services, switch_off

# What the EHR's people enter at their end: the name of our address there, and of our route.
_HAND_OVER = (
    ("Launch URL", "launch"),
    ("Redirect URL", "callback"),
    ("Key URL (JWKS)", "jwks"),
    ("CDS Hooks discovery URL", "discovery"),
)

EhrAdmin = admin.ModelAdmin[Ehr]


def whoever(request: HttpRequest) -> str:
    """An administrator, told apart from clinicians and other administrators."""
    return f"admin|{request.user.pk}"


def actor(request: HttpRequest, ehr: Ehr) -> str:
    """An administrator, as the audit names people."""
    return ehr.pseudonym(whoever(request))


def person(request: HttpRequest, key: str, *, approves: str) -> Person:
    """Who asks or decides. The right to decide comes with a role only: a superuser's word, and so that of the emergency
    account, does not count for it."""
    user = cast("User", request.user)
    app, codename = approves.split(".")
    role = user.groups.filter(permissions__content_type__app_label=app, permissions__codename=codename)
    return Person(name=name_of(request), key=key, approves=role.exists())


def approver(request: HttpRequest, ehr: Ehr) -> Person:
    """Who asks for, or decides on, what a service does at this EHR."""
    return person(request, actor(request, ehr), approves="cds.approve_stage")


def name_of(request: HttpRequest) -> str:
    """For people: the full name where the sign-in told it."""
    user = cast("User", request.user)  # the admin lets nobody else in
    return user.get_full_name() or user.get_username()


def audit_change(request: HttpRequest, ehr: Ehr, message: Any) -> None:
    """Which fields were changed, by whom; the values are in the row."""
    changes = json.dumps(message)[:500]
    audit.record("configure", actor=actor(request, ehr), ehr=ehr, subject=f"Ehr {ehr.pk}", changes=changes)


def connect(model_admin: EhrAdmin, request: HttpRequest) -> HttpResponse:
    """Paste the FHIR base; see what is there; keep it, inactive and silent."""
    if not model_admin.has_add_permission(request):
        raise PermissionDenied
    if "keep" in request.POST:
        return _keep(model_admin, request)
    address = AddressForm(request.POST or None)
    shown: dict[str, Any] = {"address": address}
    if address.is_valid():
        unsaved = _unsaved(address)
        audit.record("look", actor=f"admin {request.user.pk}", subject=origin(unsaved.fhir_base)[:100])
        survey = look(unsaved)
        told = {"login_origins": " ".join(survey.other_origins()), "client_kind": client_kind(survey.smart)}
        form = ConnectForm(initial=address.suggestions() | told)
        shown |= _found(survey) | {"form": form, "notes": BY_KEY[address.cleaned_data["vendor"]].notes}
    return _page(model_admin, request, "connect", "Connect an EHR", **shown)


def _keep(model_admin: EhrAdmin, request: HttpRequest) -> HttpResponse:
    form = ConnectForm(request.POST)
    if not form.is_valid():
        address = AddressForm(initial=request.POST.dict())
        return _page(model_admin, request, "connect", "Connect an EHR", address=address, form=form)
    ehr = form.save()
    EnabledService.objects.bulk_create(
        EnabledService(ehr=ehr, service_id=service.id, stage=EnabledService.Stage.SILENT)
        for service in registry.all_services()
    )
    model_admin.log_addition(request, ehr, [{"added": {}}])
    messages.success(request, f"{ehr} is kept: inactive, every service silent. Hand over the addresses, then test.")
    return redirect("admin:cds_ehr_connection", ehr.pk)


def connection(model_admin: EhrAdmin, request: HttpRequest, ehr_id: int) -> HttpResponse:
    """The addresses to hand over, and a test that names the failing step."""
    ehr = get_object_or_404(Ehr, pk=ehr_id)
    if not model_admin.has_view_permission(request, ehr):
        raise PermissionDenied
    shown: dict[str, Any] = {}
    if request.method == "POST":
        if not model_admin.has_change_permission(request, ehr):
            raise PermissionDenied
        audit.record("test-connection", actor=actor(request, ehr), ehr=ehr)
        shown = _found(try_connection(ehr))
    shown |= {"may_test": model_admin.has_change_permission(request, ehr)}
    return _page(
        model_admin,
        request,
        "connection",
        f"Connection to {ehr}",
        ehr=ehr,
        past=ehr.connection_tests.order_by("-tested_at")[:5],
        **shown,
    )


def stop(model_admin: EhrAdmin, request: HttpRequest, ehr_id: int) -> HttpResponse:
    """The kill switch: some services, or everything, at this EHR."""
    ehr = get_object_or_404(Ehr, pk=ehr_id)
    if not request.user.has_perm("cds.switch_off"):
        raise PermissionDenied
    titles = {service.id: service.title for service in registry.all_services()}
    on = [(name, titles.get(name, name)) for name, stage in known_services(ehr).items() if stage != "off"]
    form = SwitchOffForm(request.POST or None, choices=on, initial={"services": [name for name, _ in on]})
    if form.is_valid():
        stopped = switch_off(
            ehr,
            form.cleaned_data["services"],
            by=name_of(request),
            actor=actor(request, ehr),
            reason=form.cleaned_data["reason"],
        )
        messages.success(request, f"Off at {ehr} since now: {', '.join(stopped) or 'nothing, all was off'}.")
        return redirect("admin:index")
    return _page(model_admin, request, "switch_off", f"Switch off at {ehr}", ehr=ehr, form=form, on=on)


def _unsaved(address: AddressForm) -> Ehr:
    given = address.cleaned_data
    return Ehr(**{name: given[name] for name in ("fhir_base", "vendor", "private_network")})


def _found(survey: Survey) -> dict[str, Any]:
    return {"survey": survey, "expectations": outlook(survey)}


def _page(model_admin: EhrAdmin, request: HttpRequest, name: str, title: str, **given: Any) -> HttpResponse:
    hand_over = [(label, settings.BASE_URL + reverse(route)) for label, route in _HAND_OVER]
    return rendered(model_admin, request, f"ehr/{name}", title, hand_over=hand_over, **given)


def rendered(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, name: str, title: str, **given: Any
) -> HttpResponse:
    """A page of ours inside the admin's frame."""
    frame = model_admin.admin_site.each_context(request)
    context = {**frame, "title": title, "opts": model_admin.opts, **given}
    return render(request, f"admin/cds/{name}.html", context)

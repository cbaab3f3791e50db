"""What an administrator may enter, and in which words it is refused."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.db import models

from cds import registry
from cds.adjust import NEEDS_SYSTEM_CLIENT, SETTINGS
from cds.errors import FhirError
from cds.facts import FHIR_ID
from cds.http import origin
from cds.models import Ehr, EnabledService
from cds.presets import BY_KEY, PRESETS


def _over_https(field: models.Field[Any, Any], **options: Any) -> forms.Field | None:
    """An address without a scheme is one of https."""
    if isinstance(field, models.URLField):
        options["assume_scheme"] = "https"
    return field.formfield(**options)


def _is_origin(given: str) -> bool:
    """scheme://host[:port] and no more; a path would be taken for a limit that it is not."""
    try:
        parts, known = urlsplit(given), origin(given)
    except (FhirError, ValueError):
        return False
    return (
        known.startswith(("https://", "http://"))
        and bool(parts.hostname)
        and given == f"{parts.scheme}://{parts.netloc}"
    )


class EhrForm(forms.ModelForm[Ehr]):
    """The client's secret is entered and never shown again."""

    new_client_secret = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="For a confidential client with a secret. Empty: the one that is kept stays.",
    )

    def clean_login_origins(self) -> str:
        return self._origins("login_origins")

    def clean_file_origins(self) -> str:
        return self._origins("file_origins")

    def clean_population_groups(self) -> str:
        groups = str(self.cleaned_data["population_groups"]).split()
        if wrong := [given for given in groups if not re.fullmatch(FHIR_ID, given)]:
            raise forms.ValidationError(f"Not the id of a Group: {' '.join(wrong)}")
        return "\n".join(groups)

    def _origins(self, name: str) -> str:
        origins = str(self.cleaned_data[name]).split()
        wrong = [given for given in origins if not _is_origin(given)]
        if wrong:
            raise forms.ValidationError(f"Not an origin such as https://login.example.org: {' '.join(wrong)}")
        return " ".join(origins)

    def save(self, commit: bool = True) -> Ehr:
        if secret := self.cleaned_data.get("new_client_secret"):
            self.instance.client_secret = secret.encode()
        return super().save(commit)


class EnabledServiceForm(forms.ModelForm[EnabledService]):
    """The service is picked, once and not typed; of a row that is there each change has a reason and a page of its own."""

    class Meta:
        model = EnabledService
        fields = ("service_id", *SETTINGS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = {service.id: service.title for service in registry.all_services()}
        if self.instance.service_id:
            known.setdefault(self.instance.service_id, f"{self.instance.service_id} (not installed)")
        self.fields["service_id"] = forms.ChoiceField(label="Service", choices=known.items)
        self.fields["threshold"].widget.attrs |= {"min": 0, "max": 1, "step": "any"}
        for field in self.fields.values():
            field.disabled = bool(self.instance.pk)

    def clean_write_back(self) -> str:
        policy: str = self.cleaned_data["write_back"]
        if policy == EnabledService.WriteBackPolicy.AUTO and not self.instance.ehr.system_client_id:
            raise forms.ValidationError(NEEDS_SYSTEM_CLIENT)
        return policy


class AddressForm(forms.Form):
    """Where to look."""

    fhir_base = forms.URLField(
        label="FHIR base",
        assume_scheme="https",
        help_text="The address under which /metadata answers. It is also the `iss` of a launch.",
    )
    vendor = forms.ChoiceField(label="Vendor", choices=[(preset.key, preset.name) for preset in PRESETS])
    private_network = forms.BooleanField(
        required=False,
        label="Its addresses are private ones, on purpose",
        help_text="Only tick it for an EHR inside the hospital's own network.",
    )

    def clean_fhir_base(self) -> str:
        base = str(self.cleaned_data["fhir_base"]).rstrip("/")
        try:
            asked = origin(base)
        except FhirError as error:
            raise forms.ValidationError("Not an address: its port is no number up to 65535.") from error
        if not asked.startswith(("https://", "http://")):
            raise forms.ValidationError("An address that begins with https://.")
        return base

    def suggestions(self) -> dict[str, Any]:
        """What the vendor's preset knows, for the second form."""
        base, preset = self.cleaned_data["fhir_base"], BY_KEY[self.cleaned_data["vendor"]]
        return {
            **self.cleaned_data,
            "environment": Ehr.Environment.TEST,
            "hook_issuer": preset.issuer_at(base),
            "hook_jwks_url": preset.keys_at(base),
            "hook_algorithms": preset.hook_algorithms,
        }


class ConnectForm(EhrForm):
    """What is kept of a new EHR; it starts inactive, whatever is sent."""

    class Meta:
        model = Ehr
        fields = (
            *("fhir_base", "vendor", "private_network", "name", "environment", "time_zone", "login_origins"),
            *("client_kind", "client_id", "frame_ancestors"),
            *("hook_issuer", "hook_jwks_url", "hook_algorithms", "hook_tenant", "hooks_version"),
        )
        widgets = dict.fromkeys(("fhir_base", "vendor", "private_network"), forms.HiddenInput)
        formfield_callback = _over_https

    def save(self, commit: bool = True) -> Ehr:
        self.instance.active = False
        return super().save(commit)


class SwitchOffForm(forms.Form):
    """Which services, and why."""

    services = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, error_messages={"required": "Pick at least one service."}
    )
    reason = forms.CharField(
        max_length=200,
        min_length=5,
        label="Why",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text="Whoever wants to switch it on again reads this. No patient's name.",
    )

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["services"].choices = choices  # type: ignore[attr-defined]

"""Where an EHR's reports go: entered on its page, by kind."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models

from cds.dicom import tls
from cds.errors import BadInput
from cds.models import Ehr, Pacs


class PacsForm(forms.ModelForm[Pacs]):
    """Secret and key are entered and never shown again; certificates are tried before they are kept."""

    new_secret = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="DICOMweb: password or bearer token. Empty: the one that is kept stays.",
    )
    new_key = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
        help_text="DIMSE with TLS, in PEM: the private key of our certificate. Empty: the one that is kept stays.",
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        key = given.get("new_key", "").encode() or bytes(self.instance.certificate_key or b"")
        trusted, certificate = given.get("trusted_certificates", ""), given.get("certificate", "")
        try:
            tls.context(trusted=trusted, certificate=certificate, key=key)
        except BadInput as error:
            raise forms.ValidationError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
        return given

    def save(self, commit: bool = True) -> Pacs:
        if secret := self.cleaned_data.get("new_secret"):
            self.instance.secret = secret.encode()
        if key := self.cleaned_data.get("new_key"):
            self.instance.certificate_key = key.encode()
        return super().save(commit)


class Archive(admin.StackedInline[Pacs, Ehr]):
    """Without one, reports go to the folder."""

    model = Pacs
    form = PacsForm
    extra = 0
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    fieldsets = (
        (None, {"fields": ("kind", "private_network")}),
        ("DICOMweb", {"fields": ("url", "user", "new_secret", "searched")}),
        (
            "DIMSE",
            {
                "fields": (
                    *("host", "port", "called_ae", "calling_ae", "tls"),
                    *("trusted_certificates", "certificate", "new_key"),
                )
            },
        ),
    )

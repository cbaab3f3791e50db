"""An EHR's archive, as an administrator entered it."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models

from cds.errors import FhirError
from cds.fields import EncryptedField
from cds.http import origin
from cds.models.ehr import Ehr


def _is_ae_title(name: str) -> None:
    """PS3.5, 6.2, AE: printable ASCII without a backslash, and not blank."""
    if not (name.isascii() and name.isprintable() and name.strip() and "\\" not in name):
        raise ValidationError("Not an AE title: letters, digits, spaces and most signs of ASCII; no backslash.")


def _spelt_out(url: str) -> str:
    """What two spellings of one address have in common."""
    try:
        return f"{origin(url)}{urlsplit(url).path}".rstrip("/")
    except FhirError:
        return url  # no address at all, which the field says


class Pacs(models.Model):
    """Where an EHR's reports go in DICOM. An EHR without a row uses the folder."""

    class Kind(models.TextChoices):
        FOLDER = "folder", "A folder on this server (DICOM_FOLDER)"
        DICOMWEB = "dicomweb", "DICOMweb: STOW-RS over HTTPS"
        DIMSE = "dimse", "DIMSE: C-STORE"

    ehr = models.OneToOneField(Ehr, on_delete=models.CASCADE, related_name="pacs", verbose_name="EHR")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.FOLDER)
    private_network = models.BooleanField(default=False, help_text="Its addresses are private ones, on purpose.")
    url = models.URLField(
        blank=True,
        help_text="DICOMweb: the base under which /studies stands; https, except in a private network.",
        verbose_name="URL",
    )
    user = models.CharField(max_length=200, blank=True, help_text="DICOMweb: empty if the secret is a bearer token.")
    secret = EncryptedField(null=True, blank=True)
    host = models.CharField(max_length=253, blank=True, help_text="DIMSE: host name or address.")
    port = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="DIMSE: often 104 or 11112; 2762 with TLS.",
        validators=[MaxValueValidator(65535)],
    )
    called_ae = models.CharField(
        "its AE title", max_length=16, blank=True, validators=[_is_ae_title], help_text="DIMSE, as its people tell it."
    )
    calling_ae = models.CharField(
        "our AE title",
        max_length=16,
        default="BEDSIDE",
        validators=[_is_ae_title],
        help_text="DIMSE; hand it over to its people.",
    )
    tls = models.BooleanField("TLS", default=False, help_text="DIMSE; without it reports travel in clear text.")
    trusted_certificates = models.TextField(
        blank=True, help_text="DIMSE with TLS, in PEM: who signed its certificate. Empty: whom this server trusts."
    )
    certificate = models.TextField(blank=True, help_text="DIMSE with TLS, in PEM: ours, if it asks who calls.")
    certificate_key = EncryptedField(null=True, blank=True)
    searched = models.BooleanField(
        "is searched",
        default=False,
        help_text="DICOMweb: a service may look here for imaging studies and for measurements in structured reports of the "
        "patient it is asked about, by record number.",
    )

    class Meta:
        verbose_name = "archive (PACS)"
        verbose_name_plural = "archive (PACS)"

    def __str__(self) -> str:
        return f"archive of {self.ehr}"

    def clean(self) -> None:
        """Each kind needs its own address."""
        wanted = {self.Kind.DICOMWEB: ("url",), self.Kind.DIMSE: ("host", "port", "called_ae")}.get(
            self.Kind(self.kind), ()
        )
        missing = {name: "Needed for this kind of archive." for name in wanted if not getattr(self, name)}
        if missing:
            raise ValidationError(missing)
        self._require_apart()
        if self.searched and self.kind != self.Kind.DICOMWEB:
            raise ValidationError({"searched": "Only DICOMweb can be searched (QIDO-RS)."})

    @property
    def place(self) -> tuple[str, ...]:
        """What tells it from other archives."""
        if self.kind == self.Kind.DICOMWEB:
            return (_spelt_out(self.url),)
        return (self.host.lower(), str(self.port), self.called_ae) if self.kind == self.Kind.DIMSE else ()

    def _require_apart(self) -> None:
        """A test EHR never writes where a production one does."""
        others = Pacs.objects.exclude(pk=self.pk).exclude(kind=self.Kind.FOLDER).select_related("ehr")
        for other in others:
            if other.place == self.place and other.ehr.is_test != self.ehr.is_test:
                raise ValidationError(f"{other.ehr} has this archive, and one of the two is a test system.")

"""The archive on an EHR's page: entered by kind, secrets kept encrypted and never shown."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from cds.models import AuditEntry, Ehr, Pacs
from tests.cds.test_admin import form_for
from tests.certificates import Authority

KEPT = 302


@pytest.fixture
def administrator(db: None) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("root"))
    return client


def page(administrator: Client, ehr: Ehr, **entered: str) -> tuple[int, str]:
    """(status, page) after the form was sent with this archive."""
    blank = {"kind": "folder", "calling_ae": "BEDSIDE"}
    known = Pacs.objects.filter(ehr=ehr).values_list("pk", flat=True)
    ids = {"id": str(known[0]), "ehr": str(ehr.pk)} if known else {}
    counts = {"pacs-TOTAL_FORMS": "1", "pacs-INITIAL_FORMS": str(len(known))}
    form = counts | {f"pacs-0-{name}": value for name, value in (blank | ids | entered).items()}
    answer = administrator.post(reverse("admin:cds_ehr_change", args=[ehr.pk]), form_for(ehr, **form))
    return answer.status_code, answer.content.decode()


WEB = {
    "kind": "dicomweb",
    "url": "https://pacs.example.org/dicom-web",
    "user": "bedside",
    "new_secret": "only for tests",
}
DIMSE = {"kind": "dimse", "host": "pacs.example.org", "port": "11112", "called_ae": "PACS"}


def test_a_secret_is_kept_encrypted_and_never_shown(administrator: Client, ehr: Ehr) -> None:
    assert page(administrator, ehr, **WEB)[0] == KEPT
    assert bytes(Pacs.objects.get().secret or b"") == b"only for tests"
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM cds_pacs")
        assert b"only for tests" not in bytes(cursor.fetchone()[0])
    shown = administrator.get(reverse("admin:cds_ehr_change", args=[ehr.pk])).content.decode()
    assert "only for tests" not in shown
    assert "only for tests" not in str(AuditEntry.objects.get(action="configure").detail)


@pytest.mark.parametrize("archive", [WEB, DIMSE], ids=["dicomweb", "dimse"])
def test_a_test_system_never_shares_an_archive_with_a_production_one(
    administrator: Client, ehr: Ehr, archive: dict[str, str]
) -> None:
    other = Ehr.objects.create(name="Other hospital", fhir_base="https://ehr.example.org/fhir")
    same = {name: value for name, value in archive.items() if name != "new_secret"}
    Pacs.objects.create(ehr=other, **same)
    other_spelling = {name: value.replace("pacs.", "PACS.") for name, value in archive.items()}
    status, shown = page(administrator, ehr, **other_spelling)
    assert status != KEPT
    assert "Other hospital has this archive, and one of the two is a test system." in shown
    Ehr.objects.filter(pk=other.pk).update(environment=Ehr.Environment.TEST)
    assert page(administrator, ehr, **archive)[0] == KEPT


def test_an_empty_secret_leaves_the_one_that_is_kept(administrator: Client, ehr: Ehr) -> None:
    page(administrator, ehr, **WEB)
    assert page(administrator, ehr, **(WEB | {"new_secret": "", "user": "other"}))[0] == KEPT
    row = Pacs.objects.get()
    assert (row.user, bytes(row.secret or b"")) == ("other", b"only for tests")


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ({"kind": "dicomweb"}, "Needed for this kind of archive."),
        (DIMSE | {"called_ae": ""}, "Needed for this kind of archive."),
        (DIMSE | {"port": "70000"}, "less than or equal to 65535"),
        (DIMSE | {"called_ae": "A\\B"}, "Not an AE title"),
        (DIMSE | {"called_ae": "档案"}, "Not an AE title"),
        (DIMSE | {"tls": "on", "trusted_certificates": "no"}, "The trusted certificates are not certificates in PEM."),
        (DIMSE | {"tls": "on", "certificate": "no", "new_key": "no"}, "are not a pair in PEM"),
    ],
)
def test_what_cannot_work_is_refused_in_words(
    entered: dict[str, str], said: str, administrator: Client, ehr: Ehr
) -> None:
    status, told = page(administrator, ehr, **entered)
    assert status != KEPT
    assert said in told
    assert not Pacs.objects.exists()


def test_a_certificate_and_its_key_are_kept_and_the_key_is_not_shown(administrator: Client, ehr: Ehr) -> None:
    certificate, key = Authority().issue("Bedside")
    assert page(administrator, ehr, **DIMSE, tls="on", certificate=certificate, new_key=key)[0] == KEPT
    assert bytes(Pacs.objects.get().certificate_key or b"").decode().strip() == key.strip()
    assert "PRIVATE KEY" not in administrator.get(reverse("admin:cds_ehr_change", args=[ehr.pk])).content.decode()


def test_an_archive_that_is_deleted_gives_way_to_the_folder(administrator: Client, ehr: Ehr) -> None:
    page(administrator, ehr, **DIMSE)
    assert page(administrator, ehr, **DIMSE, DELETE="on")[0] == KEPT
    assert not Pacs.objects.exists()


def test_every_field_of_an_archive_can_be_set(administrator: Client, ehr: Ehr) -> None:
    Pacs.objects.create(ehr=ehr)
    shown = administrator.get(reverse("admin:cds_ehr_change", args=[ehr.pk])).content.decode()
    for field in Pacs._meta.fields:
        entered = {"secret": "new_secret", "certificate_key": "new_key"}.get(field.name, field.name)
        assert f'name="pacs-0-{entered}"' in shown, field.name


def test_the_integrator_may_set_an_archive_and_an_auditor_may_not(db: None) -> None:
    from django.contrib.auth.models import Group

    integrator, auditor = Group.objects.get(name="integrator"), Group.objects.get(name="auditor")
    assert integrator.permissions.filter(codename="change_pacs").exists()
    assert not auditor.permissions.filter(codename="change_pacs").exists()

"""Seals of the old form (before addresses and key ids were part of them) are taken off, to be put on anew; then the guard."""

from django.db import migrations

from cds.append_only import guard_in_migration, unguard_in_migration


def take_off_old_seals(apps, editor):
    apps.get_model("cds", "AuditEntry").objects.filter(key_id="").update(sequence=None, seal="")


class Migration(migrations.Migration):

    dependencies = [
        ("cds", "0007_hooks_version"),
    ]

    operations = [
        migrations.RunPython(take_off_old_seals, migrations.RunPython.noop),
        migrations.RunPython(guard_in_migration, unguard_in_migration),
    ]

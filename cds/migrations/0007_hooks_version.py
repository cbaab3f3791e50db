from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("cds", "0006_audit"),
    ]

    operations = [
        migrations.AddField(
            model_name='ehr',
            name='hooks_version',
            field=models.CharField(choices=[('2.0', '2.0'), ('3.0', '3.0 (ballot)')], default='2.0', help_text='CDS Hooks as the EHR speaks it.', max_length=5),
        ),
    ]

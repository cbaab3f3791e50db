from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("hooks", "0003_whose_data"),
    ]

    operations = [
        migrations.AddField(
            model_name='hookcall',
            name='hook',
            field=models.CharField(blank=True, max_length=50),
        ),
    ]

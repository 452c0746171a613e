from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("costtrack", "0011_views"),
    ]

    operations = [
        migrations.AddField(
            model_name="alertchannel",
            name="report_period",
            field=models.CharField(
                choices=[
                    ("daily", "each day"),
                    ("weekly", "each week, from Monday"),
                    ("monthly", "each calendar month"),
                ],
                default="daily",
                help_text="What a report is about.",
                max_length=7,
            ),
        ),
        migrations.AlterField(
            model_name="alertchannel",
            name="sends_reports",
            field=models.BooleanField(default=False, help_text="Cost reports; e-mail only."),
        ),
        migrations.AlterField(
            model_name="reportdelivery",
            name="day",
            field=models.DateField(help_text="The first of the organization's local dates that it is about."),
        ),
        migrations.AlterField(
            model_name="reportdelivery",
            name="report",
            field=models.CharField(help_text="daily, weekly or monthly", max_length=10),
        ),
    ]

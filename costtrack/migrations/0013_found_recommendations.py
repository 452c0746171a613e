import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("costtrack", "0012_report_period"),
    ]

    operations = [
        migrations.CreateModel(
            name="FoundRecommendations",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "start",
                    models.DateField(help_text="The first of the organization's local dates that were looked at."),
                ),
                ("end", models.DateField(help_text="The one after the last.")),
                ("found_at", models.DateTimeField()),
                ("found", models.JSONField(help_text="As the API gives them, the largest saving first.")),
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="found_recommendations",
                        to="costtrack.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("end__gt", models.F("start"))),
                        name="costtrack_foundrecommendations_end_after_start",
                    )
                ],
            },
        ),
    ]

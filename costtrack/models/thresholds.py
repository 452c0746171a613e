"""Levels of budgets that people want to be told of; they refuse nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from costtrack.models.budgets import Budget
from costtrack.models.channels import AlertChannel
from costtrack.models.fields import quantity_field
from costtrack.models.severity import Severity


class BudgetThreshold(models.Model):
    """A level of a budget that people want to be told of."""

    class Basis(models.TextChoices):
        """Which figure is compared."""

        ACTUAL = "actual", _("what is spent")
        FORECAST = "forecast", _("what will be at the period's end")

    class Unit(models.TextChoices):
        """What the level is."""

        PERCENT = "percent", _("percent of the limit")
        AMOUNT = "amount", _("an amount of the budget's metric")

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="thresholds", db_index=False)
    level = quantity_field(
        validators=[MinValueValidator(Decimal("0.01"))], help_text=_("80 is 80 % of the limit; above 100 is allowed.")
    )
    unit = models.CharField(max_length=7, choices=Unit.choices, default=Unit.PERCENT)
    basis = models.CharField(max_length=8, choices=Basis.choices, default=Basis.ACTUAL)
    severity = models.CharField(max_length=8, choices=Severity.choices, default=Severity.WARNING)
    cooldown_minutes = models.PositiveIntegerField(
        default=0, help_text=_("The least minutes between two deliveries of this threshold.")
    )
    message_template = models.CharField(
        max_length=1000,
        blank=True,
        default="",
        help_text=_(
            "What the alert says, such as: {budget} spent {cost:.2f} of {limit:.2f} USD. Empty: our own words."
        ),
    )
    channels = models.ManyToManyField(
        AlertChannel, blank=True, related_name="thresholds", help_text=_("Empty: all of the organization's.")
    )

    class Meta:
        """Lowest first; the same level once."""

        ordering: ClassVar = ["budget_id", "unit", "level"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["budget", "basis", "unit", "level"], name="costtrack_threshold_unique"),
            models.CheckConstraint(condition=Q(level__gt=0, level__lt=10**15), name="costtrack_threshold_level_gt_0"),
        ]

    def __str__(self) -> str:
        """`80 % spent`."""
        unit = "%" if self.unit == self.Unit.PERCENT else self.budget.metric
        return f"{self.level.normalize():f} {unit} {'spent' if self.basis == self.Basis.ACTUAL else 'forecast'}"

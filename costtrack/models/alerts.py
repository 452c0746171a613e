"""Alerts: what people have to be told, once each, and who has seen to it. Raised by `costtrack.alerts` alone."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from costtrack.models.budgets import Budget
from costtrack.models.severity import Severity
from costtrack.models.tenancy import Organization
from costtrack.models.thresholds import BudgetThreshold

ALERT_STATES = {
    "open": Q(acknowledged_at=None, resolved_at=None),
    "acknowledged": Q(acknowledged_at__isnull=False, resolved_at=None),
    "resolved": Q(resolved_at__isnull=False),
}
"""Which rows are in which state, as `BudgetAlert.state` says of one."""


class BudgetAlert(models.Model):
    """Something that people have to be told: a budget that crossed a threshold, or another finding.

    There is one per budget, subject, period, threshold and generation, however many callers cross it; of other findings
    one per `key`.
    """

    class Kind(models.TextChoices):
        """What it is about."""

        BUDGET = "budget", _("a budget")
        UNPRICED = "unpriced", _("models without a price")
        ANOMALY = "anomaly", _("a day beyond what is usual")
        METERING = "metering", _("usage that does not reach the ledger")
        BOOKS = "books", _("books that do not verify")
        STALE_RATE = "stale_rate", _("prices that are old")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.BUDGET)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="alerts",
        db_index=False,
        help_text=_("Empty: it is about the site."),
    )
    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, null=True, blank=True, related_name="alerts")
    threshold = models.ForeignKey(
        BudgetThreshold, on_delete=models.SET_NULL, null=True, blank=True, related_name="alerts"
    )
    subject = models.CharField(max_length=401, blank=True, default="", help_text=_("Which of the budget's counters."))
    period_start = models.DateTimeField(null=True, blank=True)
    generation = models.PositiveIntegerField(default=0, help_text=_("A raised limit begins a new one."))
    key = models.CharField(max_length=200, blank=True, default="", help_text=_("Of other findings: what makes it one."))
    severity = models.CharField(max_length=8, choices=Severity.choices)
    message = models.TextField()
    figures = models.JSONField(default=dict, blank=True, help_text=_("What the message says, as data; money as text."))
    raised_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        """Newest first."""

        ordering: ClassVar = ["-raised_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["budget", "subject", "period_start", "threshold", "generation"],
                condition=Q(kind="budget"),
                name="costtrack_alert_unique",
            ),
            models.UniqueConstraint(
                fields=["organization", "kind", "key"],
                condition=~Q(kind="budget") & Q(organization__isnull=False),
                name="costtrack_alert_key_unique",
            ),
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=~Q(kind="budget") & Q(organization__isnull=True),
                name="costtrack_alert_site_key_unique",
            ),
            models.CheckConstraint(
                condition=Q(kind="budget", budget__isnull=False, period_start__isnull=False, organization__isnull=False)
                | (~Q(kind="budget") & Q(budget__isnull=True) & ~Q(key="")),
                name="costtrack_alert_about_something",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "-raised_at"], name="costtrack_alert_organization")]

    def __str__(self) -> str:
        """How bad, and what."""
        return f"{self.severity}: {self.message.splitlines()[0] if self.message else self.kind}"

    @property
    def state(self) -> str:
        """`open`, `acknowledged` or `resolved`."""
        if self.resolved_at is not None:
            return "resolved"
        return "open" if self.acknowledged_at is None else "acknowledged"


class AlertAction(models.Model):
    """What somebody did about an alert; never edited."""

    class Action(models.TextChoices):
        """What."""

        ACKNOWLEDGED = "acknowledged", _("acknowledged")
        RESOLVED = "resolved", _("resolved")
        REOPENED = "reopened", _("reopened")
        NOTED = "noted", _("noted")

    alert = models.ForeignKey(BudgetAlert, on_delete=models.CASCADE, related_name="actions")
    action = models.CharField(max_length=12, choices=Action.choices)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    note = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        """Oldest first."""

        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        """Who did what."""
        return f"{self.action} by {self.by or '-'}"

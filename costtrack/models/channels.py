"""Where people look: mail, webhooks, chats, the host's own functions."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from costtrack.models.severity import Severity
from costtrack.models.tenancy import Organization


class AlertChannel(models.Model):
    """One place that is told. Thresholds may name theirs; what names none goes to all of its organization."""

    class Kind(models.TextChoices):
        """How it is reached."""

        EMAIL = "email", _("e-mail")
        WEBHOOK = "webhook", _("webhook, signed")
        APPRISE = "apprise", _("Slack, Teams, PagerDuty and 100 more, by apprise")
        HANDLER = "handler", _("a function of the site")

    class ReportPeriod(models.TextChoices):
        """What a report is about; it is sent when that is over."""

        DAILY = "daily", _("each day")
        WEEKLY = "weekly", _("each week, from Monday")
        MONTHLY = "monthly", _("each calendar month")

    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="alert_channels",
        help_text=_("Empty: it is told what is about the site."),
    )
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    target = models.CharField(
        max_length=1000,
        help_text=_("E-mail addresses, separated by commas; a URL, or env:NAME of the variable that holds it; a name."),
    )
    secret = models.CharField(
        max_length=200,
        blank=True,
        default="",
        help_text=_(
            "Of a webhook: env:NAME of the variable that holds its signing secret. Two, separated by a blank, "
            "while one replaces the other."
        ),
    )
    min_severity = models.CharField(max_length=8, choices=Severity.choices, default=Severity.INFO)
    sends_alerts = models.BooleanField(default=True)
    sends_reports = models.BooleanField(default=False, help_text=_("Cost reports; e-mail only."))
    report_period = models.CharField(
        max_length=7, choices=ReportPeriod.choices, default=ReportPeriod.DAILY, help_text=_("What a report is about.")
    )
    sends_usage = models.BooleanField(default=False, help_text=_("Each recorded event, in batches; webhooks only."))
    is_active = models.BooleanField(default=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True, default="")
    last_error_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """By organization and name."""

        ordering: ClassVar = ["organization_id", "name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "name"], name="costtrack_channel_unique"),
            models.UniqueConstraint(
                fields=["name"], condition=Q(organization__isnull=True), name="costtrack_channel_site_unique"
            ),
            models.CheckConstraint(
                condition=Q(sends_usage=False) | Q(kind="webhook"), name="costtrack_channel_usage_by_webhook"
            ),
            models.CheckConstraint(
                condition=Q(sends_reports=False) | Q(kind="email"), name="costtrack_channel_reports_by_email"
            ),
            models.CheckConstraint(condition=~Q(target=""), name="costtrack_channel_target_not_empty"),
        ]

    def __str__(self) -> str:
        """Its name; never its target, which may be a secret."""
        return self.name

"""The outbox: what is still to be sent, and what became of it. Written with its cause, sent after the commit."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from costtrack.models.alerts import BudgetAlert
from costtrack.models.channels import AlertChannel
from costtrack.models.tenancy import Organization


class Delivery(models.Model):
    """What every kind of delivery has. Its id is stable: a receiver that gets one twice knows it by that."""

    class State(models.TextChoices):
        """Pending until one of the others."""

        PENDING = "pending", _("pending")
        SENT = "sent", _("sent")
        DEAD = "dead", _("dead: given up")
        HELD_BACK = "held_back", _("held back by the cooldown")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="%(class)s_set")
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(help_text=_("Not before; later while somebody is just sending it."))
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        """A base."""

        abstract = True

    def __str__(self) -> str:
        """Its id and state."""
        return f"{self.id} {self.state}"


class AlertDelivery(Delivery):
    """An alert on its way to one channel."""

    alert = models.ForeignKey(BudgetAlert, on_delete=models.CASCADE, related_name="deliveries")

    class Meta:
        """Each alert once to each channel."""

        ordering: ClassVar = ["-created_at", "id"]
        verbose_name_plural = _("alert deliveries")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["alert", "channel"], name="costtrack_alertdelivery_unique")
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="pending"), name="costtrack_alertdelivery_due")
        ]


class ReportDelivery(Delivery):
    """A report of an organization on its way to one channel."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    report = models.CharField(max_length=10, help_text=_("daily, weekly or monthly"))
    day = models.DateField(help_text=_("The first of the organization's local dates that it is about."))

    class Meta:
        """Each report once to each channel."""

        ordering: ClassVar = ["-created_at", "id"]
        verbose_name_plural = _("report deliveries")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "channel", "report", "day"], name="costtrack_reportdelivery_unique"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="pending"), name="costtrack_reportdelivery_due")
        ]


class UsageDelivery(Delivery):
    """A batch of recorded events on its way to one channel, written in the transaction that recorded them."""

    usage = models.JSONField(help_text=_("[id, day] of each row of the ledger."))

    class Meta:
        """Oldest first."""

        ordering: ClassVar = ["created_at", "id"]
        verbose_name_plural = _("usage deliveries")
        indexes: ClassVar = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="pending"), name="costtrack_usagedelivery_due"),
            models.Index(fields=["sent_at"], condition=Q(state="sent"), name="costtrack_usagedelivery_sent"),
            models.Index(fields=["channel"], condition=Q(state="dead"), name="costtrack_usagedelivery_dead"),
        ]

"""What budgets have used and hold. Written by `costtrack.budgets` alone."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from costtrack.models.budgets import Budget
from costtrack.models.fields import quantity_field
from costtrack.models.tenancy import Organization


class BudgetCounter(models.Model):
    """What one subject of a budget has used and holds in one period. One that is missing is rebuilt from the ledger."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="counters", db_index=False)
    subject = models.CharField(
        max_length=401, blank=True, default="", help_text=_("Which thread, agent ...; empty for the whole scope.")
    )
    period_start = models.DateTimeField()
    period_end = models.DateTimeField(null=True, blank=True, help_text=_("Exclusive. Empty for `total`."))
    lock_rank = models.SmallIntegerField(help_text=_("Counters are locked in this order; the organization's last."))
    spent = quantity_field(default=0, help_text=_("Of the ledger's rows in this period."))
    held = quantity_field(default=0, help_text=_("Of reservations that are not settled yet."))
    leased = quantity_field(default=0, help_text=_("Handed to Redis, which admits out of it."))
    shadow_refusals = models.IntegerField(default=0, help_text=_("What hard would have refused."))
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        """One per budget, subject and period."""

        ordering: ClassVar = ["budget_id", "subject", "period_start"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["budget", "subject", "period_start"], name="costtrack_counter_unique"),
            # One for all: each statement that writes a row reads every check of its table anew.
            models.CheckConstraint(
                condition=Q(held__gte=0, leased__gte=0, shadow_refusals__gte=0), name="costtrack_counter_figures_gte_0"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["period_end"], name="costtrack_counter_period_end")]

    def __str__(self) -> str:
        """Which, and from when."""
        return f"{self.budget} {self.subject} from {self.period_start:%Y-%m-%d %H:%M}"


class Hold(models.Model):
    """A reservation: the worst case of a call, taken from every budget that it would count in, before it is made."""

    class State(models.TextChoices):
        """Held until one of the others."""

        HELD = "held", _("held")
        SETTLED = "settled", _("settled: its usage is recorded")
        RELEASED = "released", _("released: nothing was used")
        EXPIRED = "expired", _("expired: nobody settled it in time")
        CHARGED = "charged", _("charged: nobody settled it, and a budget keeps it taken")

    id = models.UUIDField(primary_key=True, help_text=_("The caller's own: a retry finds it again."))
    # No constraint: who reserves locks the organization and looks at its epoch anyway, and checking twice is dear.
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="holds", db_index=False, db_constraint=False
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.HELD)
    parts = models.JSONField(help_text=_("[counter, amount] of what is taken, narrowest scope first."))
    about = models.JSONField(default=dict, blank=True, help_text=_("What the call is: model, endpoint, thread ..."))
    admitted_at = models.DateTimeField(help_text=_("The instant that its usage is booked at."))
    expires_at = models.DateTimeField(help_text=_("By the database's clock."))
    ended_at = models.DateTimeField(null=True, blank=True)
    is_unpriced = models.BooleanField(default=False, help_text=_("Admitted although no price was known."))
    is_overrun = models.BooleanField(default=False, help_text=_("The call used more than was held."))

    class Meta:
        """Newest first."""

        ordering: ClassVar = ["-admitted_at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], condition=Q(state="held"), name="costtrack_hold_expires"),
            models.Index(fields=["organization", "-admitted_at"], name="costtrack_hold_organization"),
        ]

    def __str__(self) -> str:
        """Its id and state."""
        return f"{self.id} {self.state}"

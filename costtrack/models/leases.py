"""What Redis may admit out of. Written by `costtrack.budgets` alone."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from costtrack.models.counters import BudgetCounter
from costtrack.models.fields import quantity_field


class BudgetLease(models.Model):
    """A chunk of a counter's headroom that Redis admits calls out of: counted there as `leased`, until it is used.

    Its row goes when nothing remains of it, or its time is over. A counter that has one must not be pruned: Redis
    would go on admitting out of it, and nobody would count that.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    counter = models.ForeignKey(BudgetCounter, on_delete=models.CASCADE, related_name="leases")
    run = models.CharField(
        max_length=100, help_text=_("The run of the Redis server that it was granted to; another may not use it.")
    )
    epoch = models.BigIntegerField(help_text=_("The organization's budget epoch; a change of budgets ends it."))
    granted = quantity_field(help_text=_("How much it was at first."))
    remaining = quantity_field(help_text=_("What is neither recorded as spent nor given back."))
    granted_at = models.DateTimeField(help_text=_("By the database's clock."))
    expires_at = models.DateTimeField(
        db_index=True, help_text=_("By the database's clock; later than any hold drawn from it.")
    )

    class Meta:
        """Newest first."""

        ordering: ClassVar = ["-granted_at", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(remaining__gte=0, remaining__lte=F("granted")), name="costtrack_lease_remaining_in_granted"
            ),
        ]

    def __str__(self) -> str:
        """Its id, and when it ends."""
        return f"{self.id} until {self.expires_at:%Y-%m-%d %H:%M:%S}"

"""The append-only ledger and the keys that make a charge happen once.

`costtrack.metering.ledger` is the only writer of both. Rows are never updated or deleted (a trigger refuses);
corrections are new rows. On PostgreSQL the table is partitioned by month of `day`, and its primary key is
(organization_id, day, id), made by the migration; Django sees `id`.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from costtrack.domain.events import CostSource, Outcome, UsageKind
from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.models.fields import dimension_field, usd_field
from costtrack.models.rates import Rate
from costtrack.models.tenancy import Agent, Organization, Project

MAX_AMOUNT = 10**12


def token_count_field() -> models.BigIntegerField[int, int]:
    """A number of tokens; negative only on rows that correct another."""
    return models.BigIntegerField(default=0)


class LedgerQuerySet(models.QuerySet["ResourceUsage"]):
    """Reads of the ledger. It refuses to delete, which SQLite would let through."""

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refused; void the usage instead."""
        raise models.ProtectedError("The usage ledger is append-only: void the usage instead.", set(self[:1]))

    def purge(self) -> int:
        """Delete for good, for maintenance; how many rows. On PostgreSQL the transaction has to set its flag first."""
        return self._raw_delete(self.db)


class ResourceUsage(models.Model):
    """One metered call, or a correction of one: what happened, what it cost, by which rate, who caused it."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    kind = models.CharField(
        max_length=10, default=UsageKind.USAGE.value, choices=[(k.value, k.value) for k in UsageKind]
    )
    corrects = models.ForeignKey(
        "self",
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    reason = models.CharField(
        max_length=500, blank=True, default="", help_text=_("Why a correction was made, by whom.")
    )
    idempotency_key = models.CharField(max_length=255, blank=True, default="")

    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(help_text=_("When the row was written."))
    day = models.DateField(
        help_text=_("The organization's local date of `occurred_at`; a correction's is its original's.")
    )

    sprint = dimension_field()
    workflow = dimension_field()
    stage = dimension_field()
    thread_id = dimension_field(_("The conversation."))
    request_id = dimension_field()
    entity_type = dimension_field()
    entity_id = dimension_field()
    endpoint = dimension_field(_("The feature's name."))
    customer = dimension_field(_("The end user served."))
    user = dimension_field(_("The host's user id, as text."))
    run = dimension_field()
    tags = models.JSONField(default=dict, blank=True)

    resource_type = dimension_field(max_length=50)
    provider = dimension_field(_("Who made or hosts the model."), max_length=100)
    gateway = dimension_field(_("Through whom it was called, if not directly."), max_length=100)
    model = dimension_field()
    service_tier = dimension_field(max_length=20)

    calls = models.SmallIntegerField(default=1, help_text=_("1 for usage, 0 for an adjustment, -1 for a void."))
    errors = models.SmallIntegerField(default=0)
    input_tokens = token_count_field()
    output_tokens = token_count_field()
    cache_read_tokens = token_count_field()
    cache_write_tokens = token_count_field()
    cache_write_1h_tokens = token_count_field()
    input_audio_tokens = token_count_field()
    output_audio_tokens = token_count_field()
    reasoning_tokens = token_count_field()
    amount = models.DecimalField(
        max_digits=24, decimal_places=12, default=0, help_text=_("Units of the resource type.")
    )
    latency_ms = models.BigIntegerField(null=True, blank=True)
    outcome = models.CharField(
        max_length=10, default=Outcome.SUCCESS.value, choices=[(o.value, o.value) for o in Outcome]
    )
    error_type = dimension_field()
    error_message = models.CharField(max_length=500, blank=True, default="")
    is_estimated = models.BooleanField(default=False, help_text=_("The usage figures are an estimate."))
    usage_missing = models.BooleanField(default=False, help_text=_("The response carried no usage."))

    cost_usd = usd_field(null=True, blank=True, help_text=_("NULL exactly when the price is unknown."))
    cost_source = models.CharField(max_length=10, choices=[(s.value, s.value) for s in CostSource])
    unpriced_calls = models.SmallIntegerField(default=0)
    rate = models.ForeignKey(Rate, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)

    saving_usd = usd_field(default=0, help_text=_("Signed: what a cache, a cascade or compression avoided; no cost."))
    saving_kind = dimension_field(max_length=20)
    saving_basis = dimension_field()
    baseline_rate = models.ForeignKey(
        Rate, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )

    metadata = models.JSONField(default=dict, blank=True)

    objects = models.Manager.from_queryset(LedgerQuerySet)()

    class Meta:
        """Constraints hold for usage; what corrections may do is held by a trigger."""

        verbose_name = _("resource usage")
        verbose_name_plural = _("resource usage")
        indexes: ClassVar = [
            models.Index(fields=["id"], name="costtrack_usage_id"),
            models.Index(
                fields=["organization", "thread_id", "day"], name="costtrack_usage_thread", condition=~Q(thread_id="")
            ),
            models.Index(
                fields=["organization", "entity_type", "entity_id", "day"],
                name="costtrack_usage_entity",
                condition=~Q(entity_id=""),
            ),
            models.Index(
                fields=["organization", "customer", "day"], name="costtrack_usage_customer", condition=~Q(customer="")
            ),
            models.Index(fields=["organization", "run"], name="costtrack_usage_run", condition=~Q(run="")),
            models.Index(
                fields=["organization", "day", "corrects"],
                name="costtrack_usage_corrects",
                condition=Q(corrects__isnull=False),
            ),
            models.Index(
                fields=["organization", "day"], name="costtrack_usage_unpriced", condition=Q(cost_source="unpriced")
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind__in=[k.value for k in UsageKind]), name="costtrack_usage_kind_known"
            ),
            models.CheckConstraint(
                condition=~Q(kind="usage") | Q(**{f"{name}__gte": 0 for name in TOKEN_FIELDS}),
                name="costtrack_usage_tokens_gte_0",
            ),
            models.CheckConstraint(
                condition=~Q(kind="usage")
                | Q(
                    input_tokens__gte=F("cache_read_tokens")
                    + F("cache_write_tokens")
                    + F("cache_write_1h_tokens")
                    + F("input_audio_tokens"),
                    output_tokens__gte=F("reasoning_tokens") + F("output_audio_tokens"),
                ),
                name="costtrack_usage_parts_within_whole",
            ),
            models.CheckConstraint(
                condition=~Q(kind="usage") | Q(amount__gte=0, amount__lt=MAX_AMOUNT),
                name="costtrack_usage_amount_gte_0",
            ),
            models.CheckConstraint(
                condition=Q(cost_usd__isnull=True) | ~Q(kind="usage") | Q(cost_usd__gte=0, cost_usd__lt=MAX_AMOUNT),
                name="costtrack_usage_cost_gte_0",
            ),
            models.CheckConstraint(
                condition=Q(cost_source="unpriced", cost_usd__isnull=True)
                | Q(cost_source__in=["reported", "estimated", "free"], cost_usd__isnull=False),
                name="costtrack_usage_cost_null_iff_unpriced",
            ),
            models.CheckConstraint(
                condition=~Q(cost_source="free") | Q(cost_usd=0), name="costtrack_usage_free_costs_0"
            ),
            models.CheckConstraint(
                condition=Q(kind="usage", calls=1, errors__in=[0, 1], unpriced_calls__in=[0, 1], corrects__isnull=True)
                | Q(kind="adjustment", calls=0, errors=0, unpriced_calls__in=[0, -1], corrects__isnull=False)
                | Q(kind="void", calls=-1, errors__in=[0, -1], unpriced_calls__in=[0, -1], corrects__isnull=False),
                name="costtrack_usage_kind_figures",
            ),
            models.CheckConstraint(
                condition=Q(latency_ms__isnull=True) | ~Q(kind="usage") | Q(latency_ms__gte=0),
                name="costtrack_usage_latency_gte_0",
            ),
        ]

    def __str__(self) -> str:
        """What, when."""
        return f"{self.model or self.resource_type} at {self.occurred_at:%Y-%m-%d %H:%M:%S}"

    @property
    def timed_calls(self) -> int:
        """Its `calls` if their latency is known, else 0."""
        return 0 if self.latency_ms is None else self.calls

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Refused; void the usage instead."""
        raise models.ProtectedError("The usage ledger is append-only: void the usage instead.", {self})


class UsageKey(models.Model):
    """(organization, hash of the idempotency key): present once a charge has been made.

    Apart from the ledger, so that the ledger can be partitioned and archived freely. The ledger row that is written
    with it checks that the organization exists.
    """

    pk = models.CompositePrimaryKey("organization_id", "key_hash")
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    key_hash = models.UUIDField(help_text=_("First 128 bits of the SHA-256 of the idempotency key."))
    fingerprint = models.UUIDField(help_text=_("First 128 bits of the SHA-256 of the usage fields."))
    usage_id = models.BigIntegerField()
    day = models.DateField()

    class Meta:
        """No admin: nobody edits these."""

    def __str__(self) -> str:
        """The row it stands for."""
        return f"usage {self.usage_id} of {self.day}"

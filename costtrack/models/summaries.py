"""Daily sums of the ledger. `metering.ledger` adds pending rows, `aggregation.fold` the folded ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from costtrack.domain.tokens import TOKEN_FIELDS
from costtrack.models.fields import dimension_field
from costtrack.models.tenancy import Agent, Organization, Project

PENDING = "pending"
AGENT, PROJECT, MODEL, ORGANIZATION, SITE = "agent", "project", "model", "org", "site"

AGENT_DIMENSIONS = (
    "organization_id",
    "day",
    "project_id",
    "agent_id",
    "sprint",
    "workflow",
    "endpoint",
    "provider",
    "model",
    "resource_type",
)
"""What one row of the agent grain (and a pending row) is about."""

PROJECT_DIMENSIONS = ("organization_id", "day", "project_id", "endpoint", "provider", "model", "resource_type")
"""What one row of the project grain is about."""

MODEL_DIMENSIONS = ("organization_id", "day", "provider", "model", "resource_type")
"""What one row of the model grain is about: all projects and features of an organization together."""

ORGANIZATION_DIMENSIONS = ("organization_id", "day", "provider", "resource_type")
"""What one row of the organization grain is about."""

SITE_DIMENSIONS = ("day", "provider", "model", "resource_type")
"""What one row of the site grain is about: all organizations together. It belongs to none of them."""

GRAINS: Mapping[str, tuple[str, ...]] = {
    AGENT: AGENT_DIMENSIONS,
    PROJECT: PROJECT_DIMENSIONS,
    MODEL: MODEL_DIMENSIONS,
    ORGANIZATION: ORGANIZATION_DIMENSIONS,
    SITE: SITE_DIMENSIONS,
}
"""The folded grains with their dimensions, those with the most rows first."""

COUNT_SUMS = (
    "calls",
    "errors",
    "unpriced_calls",
    *TOKEN_FIELDS,
    "latency_ms",
    "timed_calls",
)
"""Whole numbers that a summary adds up."""

DECIMAL_SUMS = ("amount", "cost_usd", "cost_reported_usd", "cost_estimated_usd", "saving_usd")
"""Decimals that a summary adds up; `cost_usd` = reported + estimated (+ free, which is 0)."""

SUMS = COUNT_SUMS + DECIMAL_SUMS


def coarsest_grain(columns: Iterable[str]) -> str:
    """The grain with the fewest rows that has all of these columns: whatever rows are told by.

    Raises ValueError for what is not in AGENT_DIMENSIONS.
    """
    wanted = set(columns)
    unknown = sorted(wanted.difference(AGENT_DIMENSIONS))
    if unknown:
        raise ValueError(f"Summaries have no {', '.join(unknown)}; they have {', '.join(AGENT_DIMENSIONS)}.")
    return [grain for grain, dimensions in GRAINS.items() if wanted.issubset(dimensions)][-1]


class SummaryQuerySet(models.QuerySet["DailyCostSummary"]):
    """Reads of the summaries. A plain SUM over any of them equals the ledger, folded or not."""

    def at_grain(self, grain: str) -> Self:
        """The rows of `grain` (one of GRAINS) and what is not folded yet.

        All but "agent" lack dimensions: sum and filter by those that the grain has. `coarsest_grain` chooses it.
        """
        if grain not in GRAINS:
            raise ValueError(f"grain: got {grain!r}, expected one of {', '.join(GRAINS)}.")
        return self.filter(grain__in=[grain, PENDING])


class SummaryManager(models.Manager["DailyCostSummary"]):
    """Shows the agent grain and what is pending, so that a plain SUM is right."""

    def get_queryset(self) -> SummaryQuerySet:
        """Agent grain + pending."""
        return SummaryQuerySet(self.model, using=self._db).at_grain(AGENT)

    def at_grain(self, grain: str) -> SummaryQuerySet:
        """The rows of `grain` (one of GRAINS) and what is not folded yet."""
        return SummaryQuerySet(self.model, using=self._db).at_grain(grain)


def _sum() -> models.BigIntegerField[int, int]:
    return models.BigIntegerField(default=0)


def _decimal_sum() -> models.DecimalField[Any, Any]:
    return models.DecimalField(max_digits=36, decimal_places=12, default=0)


class DailyCostSummary(models.Model):
    """Sums of the ledger per day and dimension: pending, and folded at each of GRAINS.

    Its foreign keys have no constraint: the ledger rows that it adds up have, and checking twice is dear.
    """

    grain = models.CharField(max_length=8, choices=[(g, g) for g in (PENDING, *GRAINS)])
    dimensions_hash = models.UUIDField(
        null=True, blank=True, editable=False, help_text=_("SHA-256 of the dimensions, 128 bits; NULL while pending.")
    )
    day = models.DateField(help_text=_("The organization's local date."))
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        help_text=_("None at the site grain, which is of all organizations together."),
    )
    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False, db_constraint=False
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False, db_constraint=False
    )
    sprint = dimension_field()
    workflow = dimension_field()
    endpoint = dimension_field()
    provider = dimension_field(max_length=100)
    model = dimension_field()
    resource_type = dimension_field(max_length=50)

    calls = _sum()
    errors = _sum()
    unpriced_calls = _sum()
    input_tokens = _sum()
    output_tokens = _sum()
    cache_read_tokens = _sum()
    cache_write_tokens = _sum()
    cache_write_1h_tokens = _sum()
    input_audio_tokens = _sum()
    output_audio_tokens = _sum()
    reasoning_tokens = _sum()
    latency_ms = _sum()
    timed_calls = models.BigIntegerField(
        default=0, db_default=0, help_text=_("Calls whose latency is known; the mean latency is of these.")
    )
    amount = _decimal_sum()
    cost_usd = _decimal_sum()
    cost_reported_usd = _decimal_sum()
    cost_estimated_usd = _decimal_sum()
    saving_usd = _decimal_sum()

    objects = SummaryManager()
    all_grains: ClassVar[models.Manager[DailyCostSummary]] = models.Manager()

    class Meta:
        """Reads go by organization, grain and day."""

        verbose_name = _("daily cost summary")
        verbose_name_plural = _("daily cost summaries")
        base_manager_name = "all_grains"
        default_manager_name = "objects"
        indexes: ClassVar = [
            models.Index(fields=["organization", "grain", "day"], name="costtrack_summary_org_grain"),
            models.Index(fields=["grain", "day"], name="costtrack_summary_grain_day"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "grain", "day", "dimensions_hash"],
                condition=~Q(grain__in=[PENDING, SITE]),
                name="costtrack_summary_unique",
            ),
            models.UniqueConstraint(
                fields=["day", "dimensions_hash"], condition=Q(grain=SITE), name="costtrack_summary_unique_site"
            ),
            models.CheckConstraint(
                condition=Q(grain=PENDING, dimensions_hash__isnull=True, organization__isnull=False)
                | Q(
                    grain__in=[AGENT, PROJECT, MODEL, ORGANIZATION],
                    dimensions_hash__isnull=False,
                    organization__isnull=False,
                )
                | Q(grain=SITE, dimensions_hash__isnull=False, organization__isnull=True),
                name="costtrack_summary_grain_known",
            ),
        ]

    def __str__(self) -> str:
        """Day and model."""
        return f"{self.day} {self.model or self.resource_type}"

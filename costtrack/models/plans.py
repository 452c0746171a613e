"""Plans: what a run was expected to cost, as snapshots that are never edited. Written by `costtrack.metering.plans`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from costtrack.domain.plans import PLAN_ID_DIGITS, exceeds
from costtrack.models.fields import dimension_field, usd_field
from costtrack.models.tenancy import Organization, Project

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

ESTIMATES = (
    "selected_count",
    "estimated_calls",
    "estimated_prompt_tokens",
    "estimated_total_tokens",
    "estimated_cost_usd",
    "cost_per_1k_tokens",
    "max_calls",
    "cost_cap",
)
"""The figures that nobody has to give."""


def estimate_field(help_text: _StrOrPromise = "") -> models.BigIntegerField[int | None, int | None]:
    """A whole number that was estimated; NULL: nobody has."""
    return models.BigIntegerField(null=True, blank=True, help_text=help_text)


def at_least_0(*names: str) -> Q:
    """Each of these columns is NULL, or not negative."""
    return Q(*(Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__gte": 0}) for name in names))


class CostPlan(models.Model):
    """One snapshot of a plan. The newest of a name in its project is the head, with the highest `sequence`."""

    class CostBasis(models.TextChoices):
        """Where the estimated cost comes from."""

        GIVEN = "given", _("given with the plan")
        RATES = "rates", _("worked out from the rates in force")
        UNKNOWN = "unknown", _("nobody knows")

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="cost_plans", db_index=False)
    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, null=True, blank=True, related_name="cost_plans", help_text=_("Empty: none.")
    )
    name = dimension_field(_("What it is a plan of; its snapshots have one name."))
    sequence = models.PositiveIntegerField(help_text=_("Counts the snapshots of its name, from 1."))
    plan_id = models.CharField(
        max_length=PLAN_ID_DIGITS, help_text=_("The fingerprint of its figures, its selection and its filters.")
    )
    stage = dimension_field()
    selected_count = estimate_field()
    selection = models.JSONField(default=dict, blank=True)
    estimated_calls = estimate_field()
    estimated_prompt_tokens = estimate_field()
    estimated_total_tokens = estimate_field()
    estimated_cost_usd = usd_field(null=True, blank=True)
    cost_per_1k_tokens = usd_field(null=True, blank=True, help_text=_("USD."))
    max_calls = estimate_field()
    cost_cap = usd_field(null=True, blank=True, help_text=_("The most that a run may cost, in USD."))
    filters = models.JSONField(default=dict, blank=True)
    cost_basis = models.CharField(max_length=7, choices=CostBasis.choices)
    recorded_at = models.DateTimeField(help_text=_("When it was recorded last."))
    first_recorded_at = models.DateTimeField()
    pruned_count = models.PositiveIntegerField(
        default=0, help_text=_("How many older snapshots of its name were gone when it was recorded last.")
    )

    class Meta:
        """Newest first."""

        ordering: ClassVar = ["-recorded_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "project", "name", "sequence"],
                condition=Q(project__isnull=False),
                name="costtrack_plan_unique",
            ),
            models.UniqueConstraint(
                fields=["organization", "name", "sequence"],
                condition=Q(project__isnull=True),
                name="costtrack_plan_without_project_unique",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="costtrack_plan_name_not_empty"),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="costtrack_plan_sequence_gte_1"),
            models.CheckConstraint(condition=~Q(plan_id=""), name="costtrack_plan_id_not_empty"),
            models.CheckConstraint(condition=at_least_0(*ESTIMATES), name="costtrack_plan_estimates_gte_0"),
            models.CheckConstraint(
                condition=Q(cost_basis="unknown", estimated_cost_usd__isnull=True)
                | Q(cost_basis__in=["given", "rates"], estimated_cost_usd__isnull=False),
                name="costtrack_plan_cost_null_iff_unknown",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["organization", "plan_id"], name="costtrack_plan_id"),
            models.Index(fields=["organization", "-recorded_at"], name="costtrack_plan_recorded"),
        ]

    def __str__(self) -> str:
        """Its name and fingerprint."""
        return f"{self.name} ({self.plan_id})"

    @property
    def exceeds_max_calls(self) -> bool | None:
        """Whether it needs more calls than it allows; None where it does not say."""
        return exceeds(self.estimated_calls, self.max_calls)

    @property
    def exceeds_cost_cap(self) -> bool | None:
        """Whether it costs more than it allows; None where it does not say, or nobody knows."""
        return exceeds(self.estimated_cost_usd, self.cost_cap)


class PlannedWorkflow(models.Model):
    """What one workflow of a plan was expected to need. It is no part of the plan's fingerprint."""

    plan = models.ForeignKey(CostPlan, on_delete=models.CASCADE, related_name="workflows", db_index=False)
    workflow_id = dimension_field(_("As usage is attributed to it."))
    estimated_calls = estimate_field()
    estimated_prompt_tokens = estimate_field()
    prompt_words_estimate = estimate_field()
    estimated_completion_tokens = estimate_field()
    estimated_cost_usd = usd_field(null=True, blank=True)
    provider = dimension_field(max_length=100)
    model = dimension_field()

    class Meta:
        """As they were given."""

        ordering: ClassVar = ["plan_id", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["plan", "workflow_id"], name="costtrack_plannedworkflow_unique"),
            models.CheckConstraint(condition=~Q(workflow_id=""), name="costtrack_plannedworkflow_id_not_empty"),
            models.CheckConstraint(
                condition=at_least_0(
                    "estimated_calls",
                    "estimated_prompt_tokens",
                    "prompt_words_estimate",
                    "estimated_completion_tokens",
                    "estimated_cost_usd",
                ),
                name="costtrack_plannedworkflow_estimates_gte_0",
            ),
        ]

    def __str__(self) -> str:
        """Its id."""
        return str(self.workflow_id)

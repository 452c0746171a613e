"""Runs: stretches of work whose usage is told apart by the ledger's `run`. Written by `costtrack.metering.runs`."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from costtrack.models.budgets import Budget
from costtrack.models.fields import dimension_field, usd_field
from costtrack.models.plans import CostPlan, at_least_0, estimate_field
from costtrack.models.tenancy import Organization, Project


class RunStatus(models.TextChoices):
    """How a run, or a workflow of one, fares."""

    RUNNING = "running", _("running")
    COMPLETED = "completed", _("completed")
    FAILED = "failed", _("failed: an exception ended it")
    CRASHED = "crashed", _("crashed: its process died, or was not heard of any more")


class UsageRun(models.Model):
    """A run. What it used and cost is in the ledger, under its `run_id`, and is summed up when somebody asks."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="usage_runs", db_index=False)
    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, null=True, blank=True, related_name="usage_runs", help_text=_("Empty: none.")
    )
    run_id = dimension_field(_("What its usage has as `run`."))
    name = dimension_field(_("What it is a run of."))
    run_index = models.PositiveIntegerField(help_text=_("Counts the runs of its name in its project, from 1."))
    status = models.CharField(max_length=9, choices=RunStatus.choices, default=RunStatus.RUNNING)
    error_type = dimension_field(_("Of one that failed: the exception's class."))
    plan_id = dimension_field(
        _("The fingerprint of its plan, also where that is missing or pruned. Empty: it has none.")
    )
    snapshot = models.ForeignKey(
        CostPlan,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="runs",
        help_text=_("The plan; empty where that is missing or pruned."),
    )
    max_calls = estimate_field(_("The plan's cap of calls."))
    cost_cap = usd_field(null=True, blank=True, help_text=_("The plan's cap of the cost, in USD."))
    is_enforced = models.BooleanField(default=False, help_text=_("Calls that could pass a cap are refused."))
    budgets = models.ManyToManyField(
        Budget, blank=True, related_name="usage_runs", help_text=_("What watches its caps.")
    )
    started_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True, help_text=_("When it ended, however it did."))

    class Meta:
        """Newest first."""

        ordering: ClassVar = ["-started_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "run_id"], name="costtrack_run_unique"),
            models.UniqueConstraint(
                fields=["organization", "project", "name", "run_index"],
                condition=Q(project__isnull=False),
                name="costtrack_run_index_unique",
            ),
            models.UniqueConstraint(
                fields=["organization", "name", "run_index"],
                condition=Q(project__isnull=True),
                name="costtrack_run_index_without_project_unique",
            ),
            models.CheckConstraint(condition=~Q(run_id="") & ~Q(name=""), name="costtrack_run_named"),
            models.CheckConstraint(condition=Q(run_index__gte=1), name="costtrack_run_index_gte_1"),
            models.CheckConstraint(condition=Q(status__in=RunStatus.values), name="costtrack_run_status_known"),
            models.CheckConstraint(
                condition=Q(status="running", completed_at__isnull=True)
                | (~Q(status="running") & Q(completed_at__isnull=False, completed_at__gte=F("started_at"))),
                name="costtrack_run_ended_iff_not_running",
            ),
            models.CheckConstraint(condition=at_least_0("max_calls", "cost_cap"), name="costtrack_run_caps_gte_0"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["organization", "-started_at"], name="costtrack_run_started"),
            models.Index(
                fields=["organization", "started_at"], name="costtrack_run_running", condition=Q(status="running")
            ),
        ]

    def __str__(self) -> str:
        """Its name and index."""
        return f"{self.name} #{self.run_index}"

    @property
    def duration_seconds(self) -> Decimal | None:
        """How long it took, to a millisecond; None while it runs."""
        if self.completed_at is None:
            return None
        milliseconds = round((self.completed_at - self.started_at).total_seconds() * 1000)
        return Decimal(milliseconds) / 1000


class RunWorkflow(models.Model):
    """A workflow that a run has begun, whether or not it has called anything."""

    run = models.ForeignKey(UsageRun, on_delete=models.CASCADE, related_name="workflows", db_index=False)
    workflow_id = dimension_field(_("What its usage has as `workflow`."))
    status = models.CharField(max_length=9, choices=RunStatus.choices, default=RunStatus.RUNNING)
    stages = models.JSONField(default=list, blank=True, help_text=_("Those that were begun, by name."))

    class Meta:
        """As they began."""

        ordering: ClassVar = ["run_id", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "workflow_id"], name="costtrack_runworkflow_unique"),
            models.CheckConstraint(condition=~Q(workflow_id=""), name="costtrack_runworkflow_id_not_empty"),
            models.CheckConstraint(condition=Q(status__in=RunStatus.values), name="costtrack_runworkflow_status_known"),
        ]

    def __str__(self) -> str:
        """Its id."""
        return str(self.workflow_id)

    @property
    def stage_count(self) -> int:
        """How many stages were begun."""
        return len(self.stages)

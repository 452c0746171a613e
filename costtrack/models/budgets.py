"""Budgets: what may be used, by whom and in which period; and who changed them.

Written by `costtrack.budgets.changes`, which tells every process; a `save()` elsewhere, which nobody would notice in
time, is refused.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from costtrack.domain.budget_periods import BudgetPeriod
from costtrack.domain.budget_rules import (
    SCOPE,
    TEXT_SCOPE,
    WHOLE_METRICS,
    BudgetMetric,
    BudgetRule,
    Enforcement,
    Expiry,
    Per,
    Unavailable,
    Unpriced,
)
from costtrack.exceptions import UntoldBudgetChange
from costtrack.models.budget_queryset import BudgetQuerySet
from costtrack.models.fields import dimension_field, quantity_field
from costtrack.models.tenancy import Agent, Organization, Project

MAX_LIMIT = 10**15


class Budget(models.Model):
    """How much of a metric a scope may use in each period.

    What it is about (organization, scope, metric, period, `per`) never changes once it is there: make another one, and
    let this one rest. Its limit, enforcement and the rest may, and hold at the next reservation.
    """

    class Metric(models.TextChoices):
        """What is counted."""

        COST_USD = BudgetMetric.COST_USD.value, _("cost in USD")
        TOKENS = BudgetMetric.TOKENS.value, _("tokens, input plus output")
        CALLS = BudgetMetric.CALLS.value, _("calls")
        AMOUNT = BudgetMetric.AMOUNT.value, _("units of its resource type")

    class Period(models.TextChoices):
        """When it begins anew, in the organization's time zone."""

        MINUTE = BudgetPeriod.MINUTE.value, _("minute")
        HOUR = BudgetPeriod.HOUR.value, _("hour")
        DAY = BudgetPeriod.DAY.value, _("day")
        WEEK = BudgetPeriod.WEEK.value, _("week, from Monday")
        MONTH = BudgetPeriod.MONTH.value, _("month")
        TOTAL = BudgetPeriod.TOTAL.value, _("total: never begins anew")

    class Enforcement(models.TextChoices):
        """What happens at the limit."""

        HARD = Enforcement.HARD.value, _("hard: a call that could pass the limit is refused")
        SOFT = Enforcement.SOFT.value, _("soft: nothing is refused, alerts tell")
        SHADOW = Enforcement.SHADOW.value, _("shadow: logs what hard would have refused")

    class Per(models.TextChoices):
        """Whether there is one counter for the whole scope, or one for each of something in it."""

        WHOLE = Per.WHOLE.value, _("the whole scope")
        THREAD = Per.THREAD.value, _("each thread (conversation)")
        AGENT = Per.AGENT.value, _("each agent")
        PROJECT = Per.PROJECT.value, _("each project")
        ENTITY = Per.ENTITY.value, _("each entity")
        CUSTOMER = Per.CUSTOMER.value, _("each customer")

    class Unpriced(models.TextChoices):
        """Calls whose worst case has no known price."""

        DENY = Unpriced.DENY.value, _("are refused")
        ADMIT = Unpriced.ADMIT.value, _("are admitted, flagged")

    class Expiry(models.TextChoices):
        """Holds that nobody settled."""

        RELEASE = Expiry.RELEASE.value, _("are released")
        CHARGE = Expiry.CHARGE.value, _("stay taken until the call is recorded, or the period ends")

    class Unavailable(models.TextChoices):
        """Calls while neither Redis nor the database answers."""

        DENY = Unavailable.DENY.value, _("are refused")
        ALLOW = Unavailable.ALLOW.value, _("are admitted")

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="budgets")
    name = models.CharField(max_length=200, blank=True, default="")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets")
    sprint = dimension_field()
    workflow = dimension_field()
    run = dimension_field()
    thread_id = dimension_field(_("The conversation."))
    entity_type = dimension_field()
    entity_id = dimension_field()
    endpoint = dimension_field(_("The feature's name."))
    customer = dimension_field(_("The end user served."))
    provider = dimension_field(_("Who makes or hosts the model, as in the ledger."), max_length=100)
    model = dimension_field(_("The id as in the ledger; with a date or version behind it, it is meant too."))
    resource_type = dimension_field(_("llm_tokens, api_call, gpu_seconds ..."), max_length=50)
    metric = models.CharField(max_length=10, choices=Metric.choices, default=Metric.COST_USD)
    limit = quantity_field(
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text=_("0 refuses everything. Empty only for one that is unlimited."),
    )
    is_unlimited = models.BooleanField(default=False, help_text=_("Counts only. Asked for, never by accident."))
    period = models.CharField(max_length=6, choices=Period.choices)
    enforcement = models.CharField(max_length=6, choices=Enforcement.choices)
    per = models.CharField(max_length=8, choices=Per.choices, blank=True, default=Per.WHOLE)
    on_unpriced = models.CharField(max_length=6, choices=Unpriced.choices, default=Unpriced.DENY)
    on_expiry = models.CharField(max_length=8, choices=Expiry.choices, default=Expiry.RELEASE)
    on_unavailable = models.CharField(max_length=6, choices=Unavailable.choices, default=Unavailable.DENY)
    is_active = models.BooleanField(default=True, help_text=_("One that rests neither counts nor refuses."))
    alert_generation = models.PositiveIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text=_("Counts how often the limit was raised: each time its alerts may come again."),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = models.Manager.from_queryset(BudgetQuerySet)()

    class Meta:
        """Ordered by organization."""

        ordering: ClassVar = ["organization_id", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(limit__isnull=True, is_unlimited=True)
                | Q(limit__isnull=False, limit__gte=0, is_unlimited=False),
                name="costtrack_budget_limit_gte_0_or_unlimited",
            ),
            models.CheckConstraint(
                condition=~Q(metric="amount") | ~Q(resource_type=""), name="costtrack_budget_amount_has_resource_type"
            ),
            models.CheckConstraint(
                condition=Q(agent__isnull=True) | Q(project__isnull=False), name="costtrack_budget_agent_has_project"
            ),
            models.CheckConstraint(
                condition=Q(entity_id="") | ~Q(entity_type=""), name="costtrack_budget_entity_id_has_type"
            ),
        ]

    def __str__(self) -> str:
        """Its name, else what it is about."""
        return self.name or f"{self.get_metric_display()} per {self.period} of {self.scope_text()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refused: `create_budget` and `change_budget` are for that."""
        raise UntoldBudgetChange("save()")

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Refused: `delete_budget` is for that."""
        raise UntoldBudgetChange("delete()")

    def write(self, **options: Any) -> None:
        """What Django's `save` does. For `costtrack.budgets.changes` alone, inside `changing_budgets`."""
        super().save(**options)

    @property
    def scope(self) -> dict[str, object]:
        """What it is about within its organization: a name of SCOPE and its value, without those that are any."""
        return {name: value for name in SCOPE if (value := getattr(self, name))}

    def scope_text(self) -> str:
        """The scope in words: `acme, project website, model gpt-4o, each thread`."""
        parts = [self.organization.slug]
        parts += [f"project {self.project.slug}"] if self.project else []
        parts += [f"agent {self.agent.slug}"] if self.agent else []
        parts += [f"{name.removesuffix('_id')} {value}" for name in TEXT_SCOPE if (value := getattr(self, name))]
        parts += [f"each {self.per}"] if self.per else []
        return ", ".join(parts)

    def rule(self) -> BudgetRule:
        """The plain value that usage is matched with."""
        return BudgetRule(
            id=self.id,
            organization_id=self.organization_id,
            name=str(self),
            scope=tuple(self.scope.items()),
            metric=BudgetMetric(self.metric),
            limit=self.limit,
            period=BudgetPeriod(self.period),
            enforcement=Enforcement(self.enforcement),
            per=Per(self.per),
            on_unpriced=Unpriced(self.on_unpriced),
            on_expiry=Expiry(self.on_expiry),
            on_unavailable=Unavailable(self.on_unavailable),
            project_slug=self._loaded_slug("project"),
            agent_slug=self._loaded_slug("agent"),
        )

    def _loaded_slug(self, owner: str) -> str:
        """The slug of the project or agent if it has been loaded with the budget: not worth a query."""
        loaded = self._state.fields_cache.get(owner)
        return loaded.slug if loaded is not None else ""

    def clean(self) -> None:
        """Refuse what the database would refuse, and owners of somebody else, with words."""
        super().clean()
        problems: dict[str, Any] = {}
        if self.is_unlimited == (self.limit is not None):
            problems["limit"] = _("Give a limit of 0 or more, or say that it is unlimited and leave the limit empty.")
        elif isinstance(self.limit, Decimal) and self.limit.is_finite():
            if self.limit >= MAX_LIMIT:
                problems["limit"] = _("Give a limit below 10^15: SQLite keeps 15 digits, and could read no larger one.")
            elif self.metric in WHOLE_METRICS and self.limit % 1:
                problems["limit"] = _("Give a whole number: of calls and tokens there is no part.")
        if self.metric == self.Metric.AMOUNT and not self.resource_type:
            problems["resource_type"] = _("A budget of units needs the resource type whose units it counts.")
        if self.entity_id and not self.entity_type:
            problems["entity_type"] = _("An entity id needs its type.")
        if self.project is not None and self.project.organization_id != self.organization_id:
            problems["project"] = _("This project belongs to another organization.")
        if self.agent is not None and self.agent.project_id != self.project_id:
            problems["agent"] = _("Give the agent's own project, too.")
        if problems:
            raise ValidationError(problems)


class BudgetChange(models.Model):
    """What somebody changed about a budget, and when; never edited."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="changes")
    changed_at = models.DateTimeField(auto_now_add=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    before = models.JSONField(help_text=_("The fields that changed, as they were; empty for a new budget."))
    after = models.JSONField(help_text=_("The same, as they have been since."))
    note = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        """Newest first."""

        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        """Which fields, when."""
        return f"{', '.join(self.after)} at {self.changed_at:%Y-%m-%d %H:%M}"

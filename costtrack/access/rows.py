"""Which rows are whose: how each table reaches its organization, and what it takes to change a row of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from django.db.models import Model, Q, QuerySet

from costtrack import models
from costtrack.access.principals import Person, Right
from costtrack.models import Organization

Row = TypeVar("Row", bound=Model)


class Reach(NamedTuple):
    """How a table reaches its organization."""

    path: str
    """From a row, as a lookup; `pk` of organizations themselves, "" where rows are the site's."""
    right: Right | None = None
    """What it takes to change a row; None: only superusers do, if anybody."""
    is_shared: bool = False
    """A row without an organization is everybody's to read; else it is the site's, and superusers' alone."""


REACH: Mapping[type[Model], Reach] = MappingProxyType(
    {
        Organization: Reach("pk", Right.MANAGE_ORGANIZATION),
        models.OrganizationZone: Reach("organization"),
        models.Project: Reach("organization", Right.MANAGE_PROJECTS),
        models.Agent: Reach("project__organization", Right.MANAGE_PROJECTS),
        models.Membership: Reach("organization", Right.MANAGE_ORGANIZATION),
        models.AgentKey: Reach("organization", Right.MANAGE_ORGANIZATION),
        models.Rate: Reach("organization", Right.MANAGE_RATES, is_shared=True),
        models.RateTier: Reach("rate__organization", Right.MANAGE_RATES, is_shared=True),
        models.ResourceUsage: Reach("organization"),
        models.UsageKey: Reach("organization"),
        models.DailyCostSummary: Reach("organization"),
        models.Budget: Reach("organization", Right.MANAGE_BUDGETS),
        models.BudgetThreshold: Reach("budget__organization", Right.MANAGE_BUDGETS),
        models.BudgetChange: Reach("budget__organization"),
        models.BudgetCounter: Reach("budget__organization"),
        models.BudgetLease: Reach("counter__budget__organization"),
        models.Hold: Reach("organization"),
        models.BudgetAlert: Reach("organization", Right.MANAGE_BUDGETS),
        models.AlertAction: Reach("alert__organization"),
        models.AlertChannel: Reach("organization", Right.MANAGE_ORGANIZATION),
        models.AlertDelivery: Reach("alert__organization", Right.MANAGE_ORGANIZATION),
        models.ReportDelivery: Reach("organization", Right.MANAGE_ORGANIZATION),
        models.UsageDelivery: Reach("channel__organization", Right.MANAGE_ORGANIZATION),
        models.CostPlan: Reach("organization"),
        models.PlannedWorkflow: Reach("plan__organization"),
        models.UsageRun: Reach("organization"),
        models.RunWorkflow: Reach("run__organization"),
        models.FoundRecommendations: Reach("organization", Right.MANAGE_BUDGETS),
        models.JobRun: Reach(""),
        models.Installation: Reach(""),
    }
)
"""Every table. One that is missing fails, rather than to show its rows to everybody."""


def rows_of(rows: QuerySet[Row], organizations: Collection[Organization]) -> QuerySet[Row]:
    """Those of `rows` that belong to these organizations, and what is everybody's."""
    path, _, is_shared = REACH[rows.model]
    if not path:
        return rows.none()
    own = _own(path, organizations)
    return rows.filter(own | Q(**{f"{path}__isnull": True}) if is_shared else own)


def visible_rows(rows: QuerySet[Row], person: Person) -> QuerySet[Row]:
    """Those of `rows` that the person may see; of what is everybody's nothing without any membership."""
    if person.is_superuser:
        return rows
    organizations = person.organizations(Right.READ)
    return rows_of(rows, organizations) if organizations else rows.none()


def rows_granted(rows: QuerySet[Row], person: Person, right: Right | None) -> QuerySet[Row]:
    """Those of `rows` whose organization grants the right; for None only a superuser's; never what is everybody's."""
    if person.is_superuser:
        return rows
    path = REACH[rows.model].path
    return rows.filter(_own(path, person.organizations(right))) if path and right else rows.none()


def right_to_change(model: type[Model]) -> Right | None:
    """What it takes to change rows of that table; None: only superusers do."""
    return REACH[model].right


def may_see(person: Person, row: Model) -> bool:
    """Whether the row is one of `visible_rows`. Asks of its organization, not whether it is there."""
    if person.is_superuser:
        return True
    reach, organization_id = REACH[type(row)], _organization_of(row)
    if organization_id is None:
        return reach.is_shared and person.has(Right.READ)
    return _is_granted(person, organization_id, Right.READ)


def may_change(person: Person, row: Model) -> bool:
    """Whether the person may change the row, or make it, if it is new: by its organization as it stands in memory."""
    if person.is_superuser:
        return True
    right, organization_id = REACH[type(row)].right, _organization_of(row)
    return right is not None and organization_id is not None and _is_granted(person, organization_id, right)


def _own(path: str, organizations: Collection[Organization]) -> Q:
    # Their keys, not a subquery: the indexes of the big tables begin with the organization.
    return Q(**{f"{path}__in": [one.pk for one in organizations]})


def _is_granted(person: Person, organization_id: int, right: Right) -> bool:
    return any(one.pk == organization_id for one in person.organizations(right))


def _organization_of(row: Any) -> int | None:
    """The key of the row's organization; None if it has none."""
    path = REACH[type(row)].path
    *owners, last = path.split("__")
    for name in owners:
        row = getattr(row, name)
        if row is None:
            return None
    key: int | None = row.pk if last == "pk" else getattr(row, f"{last}_id") if last else None
    return key

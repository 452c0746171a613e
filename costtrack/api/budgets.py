"""Budgets over REST: looked for, made, changed, deleted, and who did that."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from rest_framework import status
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.access.principals import Right
from costtrack.api.base import CostView
from costtrack.api.budget_columns import CHANGE_COLUMNS, COLUMNS, BudgetFilters, ChangeFilters
from costtrack.api.budget_input import CHANGES, NEW, owners_in
from costtrack.api.fields import fields_checked, read_fields
from costtrack.api.ids import id_in
from costtrack.api.lists import ListView
from costtrack.budgets.changes import change_budget, create_budget, delete_budget
from costtrack.conf import settings
from costtrack.domain.periods import ZoneHistory
from costtrack.exceptions import BudgetNotFound, InvalidUsage
from costtrack.models import Budget, BudgetChange
from costtrack.reporting.budgets import budgets_within
from costtrack.reporting.columns import column_shape
from costtrack.reporting.pages import Key
from costtrack.reporting.zones import reporting_zone

AN_ORGANIZATION = "the slug of an organization whose budgets you manage"
READ_ONLY = "You may read this budget, not change it: that is for the managers of its organization."


class BudgetsView(ListView):
    """The budgets that the caller may read, and new ones."""

    right_to_write = Right.MANAGE_BUDGETS
    filters = BudgetFilters
    columns = COLUMNS
    key = Key(("id",), is_descending=False)

    def rows(self) -> QuerySet[Any]:
        """Those of the organizations, or of the key's owner."""
        return budgets_within(self.organizations, owner=self.owner)

    def get(self, request: Request) -> HttpResponseBase:
        """The budgets that the caller may read, oldest first.

        Of a key that is narrowed to a project or an agent those that are about it alone: what others have left is not
        told.
        """
        return super().get(request)

    def post(self, request: Request) -> Response:
        """Make a budget. It holds within two seconds, and counts what its period has spent already."""
        values = read_fields(request, NEW, what="budget")
        with fields_checked():
            said = values.pop("organization", "")
            organization = self.organization_named(said)
            if organization is None:
                raise InvalidUsage("organization", said or None, AN_ORGANIZATION)
            owners = owners_in(values, organization=organization)
            budget = create_budget(organization=organization, changed_by=request.user, **values, **owners)
        address = request.build_absolute_uri(f"{request.path.rstrip('/')}/{budget.pk}")
        return Response(_shape(budget), status=status.HTTP_201_CREATED, headers={"Location": address})


class OneBudgetView(CostView):
    """A view of one budget; 404 for one that is not there, or that the caller may not read."""

    right_to_write = Right.MANAGE_BUDGETS

    @cached_property
    def budget(self) -> Budget:
        """The one of the path. Raises PermissionDenied where the caller writes, and may only read it."""
        text = str(self.kwargs["budget_id"])
        readable = self.principal.organizations(Right.READ) if self.organization is None else [self.organization]
        key = id_in(text)
        found = None if key is None else budgets_within(readable, owner=self.owner).filter(pk=key).first()
        if found is None:
            raise _unknown(text)
        if self.is_write and self.principal.organization(found.organization.slug, right=self.right) is None:
            raise PermissionDenied(READ_ONLY)
        return found

    @cached_property
    def zone(self) -> ZoneHistory:
        """Its organization's."""
        return reporting_zone(self.budget.organization)


class BudgetView(OneBudgetView):
    """One budget."""

    def get(self, request: Request, budget_id: str) -> Response:
        """What it is about, and how it holds."""
        return Response(column_shape(COLUMNS, self.budget, zone=self.zone))

    def patch(self, request: Request, budget_id: str) -> Response:
        """Change its limit, name, enforcement or rest. A new limit holds at the next reservation.

        What says which budget it is (organization, scope, metric, period, `per`) never changes.
        """
        budget = self.budget
        changes = read_fields(request, CHANGES, what="budget", keeps_null=True)
        try:
            with fields_checked():
                changed = change_budget(budget, changed_by=request.user, **changes)
        except BudgetNotFound as error:  # deleted just now
            raise _unknown(budget_id) from error
        return Response(_shape(changed))

    def delete(self, request: Request, budget_id: str) -> Response:
        """Delete it with its history. To keep that, let it rest: `{"is_active": false}`."""
        delete_budget(self.budget, changed_by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class BudgetChangesView(OneBudgetView, ListView):
    """Who changed a budget, when, in what, and why; newest first."""

    filters = ChangeFilters
    columns = CHANGE_COLUMNS

    def rows(self) -> QuerySet[Any]:
        """Its history."""
        rows = BudgetChange.objects.using(settings.database).filter(budget=self.budget)
        return rows.select_related("changed_by", "budget__organization", "budget__project", "budget__agent")

    def get(self, request: Request, budget_id: str = "") -> HttpResponseBase:
        """One page."""
        return super().get(request)


def _unknown(text: str) -> NotFound:
    return NotFound(f"budget: got {text[:50]!r}, expected the id of a budget.")


def _shape(budget: Budget) -> dict[str, Any]:
    return column_shape(COLUMNS, budget, zone=reporting_zone(budget.organization))

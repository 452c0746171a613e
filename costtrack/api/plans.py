"""Plans over REST: listed, and sent."""

from __future__ import annotations

from contextvars import Context
from dataclasses import replace
from typing import Any

import django_filters
from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.api.base import CostView
from costtrack.api.bodies import read_json
from costtrack.api.fields import fields_checked
from costtrack.api.filters import CostFilterSet, ProjectFilter, TextFilter, choices_of
from costtrack.api.ids import id_in
from costtrack.api.lists import ListView
from costtrack.api.sending import NotNow, SendingView
from costtrack.metering.plans.given import given_plan
from costtrack.metering.plans.record import record_given_plan
from costtrack.models import CostPlan
from costtrack.reporting.run_rows import plans_within
from costtrack.reporting.run_shapes import PLAN_COLUMNS, plan_shape
from costtrack.reporting.zones import reporting_zone


class PlanFilters(CostFilterSet):
    """By what a plan is of, and its id."""

    name = TextFilter()
    plan_id = TextFilter()
    stage = TextFilter()
    project = ProjectFilter(field_name="project__slug")
    cost_basis = django_filters.ChoiceFilter(choices=choices_of(CostPlan.CostBasis.values))


class PlansView(ListView, SendingView):
    """The plans that the caller may read, and new ones."""

    http_method_names = ["get", "post", "head", "options"]
    filters = PlanFilters
    columns = PLAN_COLUMNS

    def rows(self) -> QuerySet[Any]:
        """Those of the organizations, or of the key's project."""
        return plans_within(self.organizations, owner=self.owner)

    def get(self, request: Request) -> HttpResponseBase:
        """The snapshots of plans, the newest first. Of a key that is narrowed to a project, those of that."""
        return super().get(request)

    def post(self, request: Request) -> Response:
        """Record a plan. The same figures as those of the newest snapshot of its name refresh that, and add none.

        What is not given is summed over the workflows, and the cost is worked out from the rates in force. The newest
        50 snapshots of a name are kept.
        """
        body = read_json(request)
        with fields_checked():
            plan = given_plan(body)
            owner = self.owned({"organization": plan.organization, "project": plan.project})
            plan = replace(plan, organization=owner["organization"], project=owner["project"])
            try:
                # Whatever this request is about is not what the plan is of.
                snapshot = Context().run(record_given_plan, plan)
            except (OperationalError, InterfaceError, TimeoutError) as error:
                reason = f"The plan can not be recorded now ({type(error).__name__}). Send it again."
                raise NotNow(reason) from error
        address = request.build_absolute_uri(f"{request.path.rstrip('/')}/{snapshot.pk}")
        shape = plan_shape(snapshot, zone=reporting_zone(snapshot.organization))
        return Response(shape, status=status.HTTP_201_CREATED, headers={"Location": address})


class PlanView(CostView):
    """One snapshot of a plan, with its workflows."""

    def get(self, request: Request, plan_id: str) -> Response:
        """404 for one that is not there any more, or that the caller may not read."""
        key = id_in(plan_id)
        rows = plans_within(self.organizations, owner=self.owner).prefetch_related("workflows")
        plan = None if key is None else rows.filter(pk=key).first()
        if plan is None:
            raise NotFound(f"plan: got {plan_id[:50]!r}, expected the id of a plan.")
        return Response(plan_shape(plan, zone=reporting_zone(plan.organization)))

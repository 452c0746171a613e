"""Runs over REST: what they used and cost, and how far they drifted from their plans."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.api.base import CostView
from costtrack.api.filters import CostFilterSet, ProjectFilter, TextFilter, choices_of
from costtrack.api.ids import id_in
from costtrack.api.lists import ListView
from costtrack.domain.periods import ZoneHistory
from costtrack.models import RunStatus, UsageRun
from costtrack.reporting.run_figures import buckets_of, totals_of
from costtrack.reporting.run_rows import runs_within
from costtrack.reporting.run_shapes import RUN_COLUMNS, RunLine, run_shape, variance_shape
from costtrack.reporting.variance import run_variance
from costtrack.reporting.zones import reporting_zone


class RunFilters(CostFilterSet):
    """By what a run is of, its ids, and how it fares."""

    run_id = TextFilter()
    name = TextFilter()
    plan_id = TextFilter()
    project = ProjectFilter(field_name="project__slug")
    status = django_filters.ChoiceFilter(choices=choices_of(RunStatus.values))


class RunsView(ListView):
    """The runs that the caller may read, with what they used, the newest first.

    Figures are summed up from the ledger as it is now. Of a key that is narrowed to a project, its runs and usage.
    """

    filters = RunFilters
    columns = RUN_COLUMNS

    def rows(self) -> QuerySet[Any]:
        """Those of the organizations, or of the key's project."""
        return runs_within(self.organizations, owner=self.owner)

    def lines(self, rows: Sequence[Any]) -> Sequence[Any]:
        """With their totals (one query more)."""
        totals = totals_of(rows, owner=self.owner)
        return [RunLine(run, totals[run.pk]) for run in rows]

    def get(self, request: Request) -> HttpResponseBase:
        """One page, or all rows as a table."""
        return super().get(request)


class OneRunView(CostView):
    """A view of one run; 404 for one that is not there, or that the caller may not read."""

    @cached_property
    def run(self) -> UsageRun:
        """The one of the path."""
        text = str(self.kwargs["run_id"])
        key = id_in(text)
        rows = runs_within(self.organizations, owner=self.owner).prefetch_related("workflows")
        found = None if key is None else rows.filter(pk=key).first()
        if found is None:
            raise NotFound(f"run: got {text[:50]!r}, expected the id of a run.")
        return found

    @cached_property
    def zone(self) -> ZoneHistory:
        """Its organization's."""
        return reporting_zone(self.run.organization)


class RunView(OneRunView):
    """One run: its workflows, its buckets, and where it stands against its budget."""

    def get(self, request: Request, run_id: str) -> Response:
        """Figures are summed up from the ledger as it is now."""
        run = self.run
        buckets = buckets_of([run], owner=self.owner)[run.pk]
        return Response(run_shape(run_variance(run, owner=self.owner), buckets, zone=self.zone))


class RunVarianceView(OneRunView):
    """One run against its plan: estimates, what came of them, differences and ratios."""

    def get(self, request: Request, run_id: str) -> Response:
        """Of a plan that is missing or pruned nothing is compared: `snapshot_resolved` is false."""
        return Response(variance_shape(run_variance(self.run, owner=self.owner)))

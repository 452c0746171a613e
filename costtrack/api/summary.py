"""`GET summary`: what a period cost, by up to two dimensions, in parts of it, beside the period before."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Concat
from django.db.models.lookups import Exact
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.api.exports import ExportView
from costtrack.api.filters import AgentFilter, CostFilterSet, ProjectFilter, TextFilter
from costtrack.api.spans import SpanView
from costtrack.api.views import unpriced_header
from costtrack.models import Agent, Project
from costtrack.reporting.costs import summaries_of
from costtrack.reporting.parameters import InvalidParameter, parse_count
from costtrack.reporting.summary import (
    GROUPINGS,
    Granularity,
    Summary,
    SummaryQuestion,
    cost_summary,
    parts_of,
    period_before,
)
from costtrack.reporting.summary_figures import ALWAYS_SHOWN, AMOUNT, SHOWN_FIGURES
from costtrack.reporting.summary_query import GROUPED_BY
from costtrack.reporting.summary_shapes import summary_shape, summary_table
from costtrack.reporting.wording import NO_NAME

MAX_BUCKETS = 1100
MAX_CELLS = 50_000
"""Groups times buckets."""
GROUPS = 100
MAX_GROUPS = 1000
MAX_DIMENSIONS = 2
LONGEST_PATH = 302
"""Three slugs of 100 characters, with slashes."""


class ShownFilter(TextFilter):
    """Usage whose dimension is shown as this text: what a group says can be asked for, `(none)`, too."""

    def filter(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """No value: all."""
        return rows.filter(Exact(GROUPED_BY[self.field_name], Value(value))) if value else rows


class ShownProjectFilter(ProjectFilter):
    """Usage of projects with this slug, of the one that is shown as `organization/project`, or `(none)`."""

    expected = "a project that exists, by its slug or as organization/project"
    takes_no_name = True

    def named(self, projects: QuerySet[Project], value: str) -> QuerySet[Project]:
        """Either way."""
        organization, _, slug = value.partition("/")
        return projects.filter(Q(slug=value) | Q(organization__slug=organization, slug=slug))

    def filter(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """No value: all."""
        return _of_owners(rows, "project", self.named(Project.objects.using(rows.db), value), value) if value else rows


class ShownAgentFilter(AgentFilter):
    """Usage of agents with this slug, of the one that is shown as `organization/project/agent`, or `(none)`."""

    expected = "an agent that exists, by its slug or as organization/project/agent"
    takes_no_name = True

    def named(self, agents: QuerySet[Agent], value: str) -> QuerySet[Agent]:
        """Either way."""
        organization, _, path = value.partition("/")
        agents = agents.alias(path=Concat("project__slug", Value("/"), "slug"))
        return agents.filter(Q(slug=value) | Q(project__organization__slug=organization, path=path))

    def filter(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """No value: all."""
        return _of_owners(rows, "agent", self.named(Agent.objects.using(rows.db), value), value) if value else rows


def _of_owners(rows: QuerySet[Any], name: str, named: QuerySet[Any], value: str) -> QuerySet[Any]:
    is_named = Q(**{f"{name}__in": named.values("pk")})
    return rows.filter(is_named | Q(**{f"{name}__isnull": True}) if value == NO_NAME else is_named)


class SummaryFilters(CostFilterSet):
    """By each dimension but the organization, for which there is `organization`."""

    project = ShownProjectFilter(max_length=LONGEST_PATH)
    agent = ShownAgentFilter(max_length=LONGEST_PATH)
    sprint = ShownFilter()
    workflow = ShownFilter()
    endpoint = ShownFilter()
    provider = ShownFilter()
    model = ShownFilter()
    resource_type = ShownFilter()


class SummaryView(SpanView, ExportView):
    """What a period cost. Days, weeks and months are local ones of each row's own organization."""

    parameters = ("from", "to", "group_by", "granularity", "compare", "limit", "figures")
    filters = SummaryFilters

    @property
    def known_parameters(self) -> tuple[str, ...]:
        """Those of the filters, too."""
        return (*super().known_parameters, *self.filters.names())

    def get(self, request: Request) -> HttpResponseBase:
        """The totals, the groups, the buckets; as a table a row for each group of each bucket."""
        summary = self.summary()
        headers = unpriced_header(summary.total.figures)
        if self.is_export:
            columns, rows = summary_table(summary)
            return self.exported(columns, [list(rows)], headers=headers)
        return Response(summary_shape(summary, zone=self.zone), headers=headers)

    def summary(self) -> Summary:
        """What is asked for."""
        question, filtered_by = self.question(), [name for name in self.filters.names() if self.parameter(name)]
        rows = summaries_of(
            question.span,
            by=[*question.group_by, *filtered_by],
            organizations=self.summed_organizations,
            owner=self.owner,
        )
        asked = self.filters(self.request.query_params, queryset=rows)
        return cost_summary(question, asked.matching(organizations=self.organizations, owner=self.owner))

    def question(self) -> SummaryQuestion:
        """The parameters but the filters, checked."""
        days, group_by, granularity = self.days, self._group_by(), self._granularity()
        buckets = 1 if granularity is None else sum(1 for _ in parts_of(days, granularity))
        if buckets > MAX_BUCKETS:
            expected = f"one of which the period has at most {MAX_BUCKETS:,}; it has {buckets:,}"
            raise InvalidParameter("granularity", self.parameter("granularity"), expected)
        is_of_one_resource_type = self.parameter("resource_type") is not None
        return SummaryQuestion(
            days=days,
            group_by=group_by,
            granularity=granularity,
            previous=None if self._one_of("compare", ("previous",)) is None else period_before(days),
            limit=self._limit(buckets),
            figures=self._figures(has_amount=is_of_one_resource_type or "resource_type" in group_by),
            is_of_one_resource_type=is_of_one_resource_type,
        )

    def _group_by(self) -> tuple[str, ...]:
        names = self._names_in("group_by", GROUPINGS)
        if names is not None and len(names) > MAX_DIMENSIONS:
            raise InvalidParameter("group_by", ",".join(names), "one or two dimensions")
        return names or ()

    def _granularity(self) -> Granularity | None:
        text = self._one_of("granularity", tuple(Granularity))
        return None if text is None else Granularity(text)

    def _limit(self, buckets: int) -> int:
        most = min(MAX_GROUPS, MAX_CELLS // buckets)
        text = self.parameter("limit")
        return min(GROUPS, most) if text is None else parse_count("limit", text, low=1, high=most)

    def _figures(self, *, has_amount: bool) -> tuple[str, ...]:
        names = self._names_in("figures", tuple(SHOWN_FIGURES))
        if names is None:
            return (*ALWAYS_SHOWN, AMOUNT) if has_amount else ALWAYS_SHOWN
        if AMOUNT in names and not has_amount:
            expected = "no amount, unless resource_type is in group_by or a filter: units of several do not add up"
            raise InvalidParameter("figures", ",".join(names), expected)
        return names

    def _names_in(self, parameter: str, known: tuple[str, ...]) -> tuple[str, ...] | None:
        """Different names with commas between them; None: it is not given."""
        text = self.parameter(parameter)
        if text is None:
            return None
        names = tuple(text.split(","))
        if not set(names) <= set(known) or len(set(names)) < len(names):
            raise InvalidParameter(parameter, text, f"different ones of {', '.join(known)}, with commas between them")
        return names

    def _one_of(self, parameter: str, known: tuple[str, ...]) -> str | None:
        text = self.parameter(parameter)
        if text is not None and text not in known:
            raise InvalidParameter(parameter, text, f"{' or '.join(known)}, or no such parameter")
        return text

"""The endpoints: periods, conversations, trend, reports, entities. Each parses, calls one function, renders."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from costtrack.api.conditional import ConditionalView
from costtrack.api.renderers import HtmlRenderer, MarkdownRenderer
from costtrack.domain.periods import DayRange
from costtrack.reporting.conversations import conversation_totals, top_conversations
from costtrack.reporting.costs import trend
from costtrack.reporting.entities import entity_summary, entity_type_stats
from costtrack.reporting.figures import Figures
from costtrack.reporting.full_report import full_report
from costtrack.reporting.full_report_shapes import whole_report_shape
from costtrack.reporting.html_report import html_report
from costtrack.reporting.markdown import markdown_report
from costtrack.reporting.parameters import (
    FIRST_DAY,
    LAST_DAY,
    InvalidParameter,
    parse_count,
    parse_edge,
    parse_text,
)
from costtrack.reporting.report import CostReport, ReportKind, cost_report
from costtrack.reporting.shapes import (
    conversation_shape,
    entity_shape,
    entity_type_shape,
    report_shape,
    top_shape,
    trend_shape,
)

MAX_DAYS = 365
MAX_TOP = 100
UNPRICED_HEADER = "Costtrack-Unpriced-Calls"
"""How many calls of a total have no known price: beside the body, whose keys are fixed."""


def unpriced_header(figures: Figures) -> dict[str, str]:
    """The header that says how many calls the cost leaves out."""
    return {UNPRICED_HEADER: str(figures.unpriced_calls)}


class PeriodView(ConditionalView):
    """What a day, a week or a month cost. Parameters: target_date (YYYY-MM-DD, default today), organization."""

    kind: ClassVar[ReportKind] = ReportKind.DAILY
    parameters: ClassVar[tuple[str, ...]] = ("target_date",)

    def report(self) -> CostReport:
        """The report of the period that is asked for."""
        return cost_report(
            self.kind,
            self.target_date,
            zone=self.zone,
            organization=self.organization,
            organizations=self.organizations,
            owner=self.owner,
        )

    def get(self, request: Request) -> Response:
        """The period's totals, its costs by model and by endpoint."""
        report = self.report()
        return Response(report_shape(report), headers=unpriced_header(report.breakdown.figures))


class DailyView(PeriodView):
    """What one day cost."""


class WeeklyView(PeriodView):
    """What one week, from Monday to Sunday, cost."""

    kind = ReportKind.WEEKLY


class MonthlyView(PeriodView):
    """What one calendar month cost."""

    kind = ReportKind.MONTHLY


class DailyReportView(PeriodView):
    """The daily report: Markdown; HTML by `Accept: text/html` or `?format=html`; {"report": the Markdown} as JSON.

    JSON with `data=true` has `data`, too: all sections with their figures, money as decimal strings.
    """

    renderer_classes = (MarkdownRenderer, JSONRenderer, HtmlRenderer)
    parameters = ("target_date", "data")

    def get(self, request: Request) -> Response:
        """The report as text, and as data where that is asked for."""
        has_data = self._has_data(request)
        report = full_report(
            self.kind,
            self.target_date,
            zone=self.zone,
            now=timezone.now(),
            organization=self.organization,
            organizations=self.organizations,
            owner=self.owner,
        )
        is_html = isinstance(request.accepted_renderer, HtmlRenderer)
        answer: dict[str, Any] = {"report": html_report(report) if is_html else markdown_report(report)}
        if has_data:
            answer["data"] = whole_report_shape(report)
        return Response(answer, headers=unpriced_header(report.breakdown.figures))

    def _has_data(self, request: Request) -> bool:
        """Raises InvalidParameter where it is asked for in a format that has no place for it: it would go unseen."""
        text = self.parameter("data")
        if text not in (None, "true", "false"):
            raise InvalidParameter("data", text, "true or false")
        if text == "true" and not isinstance(request.accepted_renderer, JSONRenderer):
            raise InvalidParameter("data", text, "that format=json, or Accept: application/json, goes with it")
        return text == "true"


class WeeklyReportView(DailyReportView):
    """The weekly report, likewise."""

    kind = ReportKind.WEEKLY


class MonthlyReportView(DailyReportView):
    """The monthly report, likewise."""

    kind = ReportKind.MONTHLY


class ConversationView(ConditionalView):
    """What one conversation cost; 404 where nothing is known of it. Parameter: organization."""

    def get(self, request: Request, conversation_id: str) -> Response:
        """Totals as those of a period, and the first and last call."""
        thread_id = parse_text("conversation_id", conversation_id)
        conversation = conversation_totals(thread_id, organizations=self.organizations, owner=self.owner)
        if conversation is None:
            raise NotFound(f"conversation_id: got {thread_id!r}, expected a conversation that has usage.")
        shape = conversation_shape(conversation, zone=self.zone)
        return Response(shape, headers=unpriced_header(conversation.breakdown.figures))


class TrendView(ConditionalView):
    """Costs day by day up to today. Parameters: days (1 to 365, default 30), organization."""

    parameters = ("days",)

    def get(self, request: Request) -> Response:
        """A date and a cost per day, oldest first."""
        text = self.parameter("days")
        count = 30 if text is None else parse_count("days", text, low=1, high=MAX_DAYS)
        end = self.today + timedelta(days=1)
        period = DayRange(end - timedelta(days=count), end)
        days = trend(period, organizations=self.summed_organizations, owner=self.owner)
        return Response(trend_shape(days))


class TopConversationsView(ConditionalView):
    """The dearest conversations. Parameters: limit (1 to 100, default 10), period_start, period_end, organization.

    The period's edges are days or local midnights, `period_end` being exclusive; by default it has no edge.
    """

    parameters = ("limit", "period_start", "period_end")

    def get(self, request: Request) -> Response:
        """A conversation and its cost per line, dearest first."""
        text = self.parameter("limit")
        limit = 10 if text is None else parse_count("limit", text, low=1, high=MAX_TOP)
        top = top_conversations(self._days(), limit, organizations=self.organizations, owner=self.owner)
        return Response(top_shape("conversation_id", top))

    def _days(self) -> DayRange | None:
        start, end = self.parameter("period_start"), self.parameter("period_end")
        if start is None and end is None:
            return None
        first = FIRST_DAY if start is None else parse_edge("period_start", start, zone=self.zone)
        after = LAST_DAY if end is None else parse_edge("period_end", end, zone=self.zone)
        if after <= first:
            raise InvalidParameter("period_end", end or after.isoformat(), f"a day after period_start ({first})")
        return DayRange(first, after)


class EntityView(ConditionalView):
    """The resource summary of one entity; 404 where nothing is known of it. Parameter: organization."""

    def get(self, request: Request, entity_type: str, entity_id: str) -> Response:
        """Totals, by resource type, by model and by day."""
        kind, name = parse_text("entity_type", entity_type), parse_text("entity_id", entity_id)
        entity = entity_summary(kind, name, organizations=self.organizations, owner=self.owner)
        if entity is None:
            raise NotFound(f"entity: got {kind!r} {name!r}, expected an entity that has usage.")
        return Response(entity_shape(entity, zone=self.zone))


class EntityTypeView(ConditionalView):
    """All entities of one type; 404 where there are none. Parameters: limit (1 to 100, default 10), organization."""

    parameters = ("limit",)

    def get(self, request: Request, entity_type: str) -> Response:
        """How many, what they cost together, the dearest ones."""
        kind = parse_text("entity_type", entity_type)
        text = self.parameter("limit")
        limit = 10 if text is None else parse_count("limit", text, low=1, high=MAX_TOP)
        stats = entity_type_stats(kind, limit=limit, organizations=self.organizations, owner=self.owner)
        if not stats.entities:
            raise NotFound(f"entity_type: got {kind!r}, expected a type of entities that have usage.")
        return Response(entity_type_shape(stats))

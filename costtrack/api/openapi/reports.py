"""Reports, as text and as data."""

from __future__ import annotations

from costtrack.api import views
from costtrack.api.openapi.budgets import BUDGET_STATUS
from costtrack.api.openapi.costs import HEADERS, PERIOD_FIELDS
from costtrack.api.openapi.described import JSON, Answer, Component, Operation, Schema
from costtrack.api.openapi.forecast import FORECAST
from costtrack.api.openapi.parameters import parameter
from costtrack.api.openapi.plans import VARIANCE
from costtrack.api.openapi.values import COST, COUNT, INSTANT, INTEGER, TEXT, about, choice, list_of, nullable, record
from costtrack.api.renderers import HtmlRenderer, MarkdownRenderer
from costtrack.reporting.report import ReportKind


def _line(key: str) -> Schema:
    """What has that name, and what it cost and used."""
    fields = {"cost": COST, **dict.fromkeys(("calls", "tokens", "unpriced_calls"), INTEGER)}
    return record({key: TEXT, **fields})


RUN = Component("ReportRun", record({"organization": TEXT, "name": TEXT, **VARIANCE.part["properties"]}))
ALERT = Component(
    "ReportAlert",
    record({"raised_at": INSTANT, "severity": TEXT, "state": about(TEXT, "As it is now."), "message": TEXT}),
)
NOT_FOR_ALL = "null: a key of a project or agent is not told."
DATA = Component(
    "ReportData",
    record(
        {
            "report": choice("ReportKind", tuple(ReportKind)),
            "organization": about(nullable(TEXT), "null: several, or all."),
            **PERIOD_FIELDS,
            "unpriced_calls": INTEGER,
            "models": list_of(_line("model")),
            "endpoints": list_of(_line("endpoint")),
            "top_agents": list_of(_line("agent")),
            "budgets": about(list_of(BUDGET_STATUS), "As they stand now, the nearest to their limits first."),
            "more_budgets": COUNT,
            "alerts": about(list_of(ALERT), "Those that were raised in the period, the newest first."),
            "more_alerts": COUNT,
            "plan_variance": about(nullable(list_of(TEXT)), f"The runs as lines for people; {NOT_FOR_ALL}"),
            "runs": about(nullable(list_of(RUN)), f"Those with a plan that began in the period; {NOT_FOR_ALL}"),
            "more_runs": COUNT,
            "forecast": about(list_of(FORECAST), "Of the periods that are under way."),
        },
        description="A report's sections, with their figures.",
    ),
)
REPORT = Component(
    "Report",
    record(
        {"report": about(TEXT, "Markdown."), "data": about({"allOf": [DATA]}, "Where `data=true` asks for it.")},
        optional=("data",),
    ),
)
ANSWER = Answer(
    about="The report.",
    content={MarkdownRenderer.media_type: TEXT, JSON: REPORT, HtmlRenderer.media_type: TEXT},
    headers=HEADERS,
)
AS_DATA = parameter(
    "data",
    {"type": "string", "enum": ["true", "false"], "default": "false"},
    "In JSON: with `data` beside the text, which has all sections with their figures. In another format a 400.",
)

OPERATIONS = tuple(
    Operation(view=view, id=f"get_{name}_report", tag="reports", answers={200: ANSWER}, query={"data": AS_DATA})
    for name, view in (
        ("daily", views.DailyReportView),
        ("weekly", views.WeeklyReportView),
        ("monthly", views.MonthlyReportView),
    )
)

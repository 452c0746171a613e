"""The sections of a whole report as plain lines, which Markdown, HTML and the terminal's text show alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from costtrack.reporting.budget_figures import BudgetStatus
from costtrack.reporting.figures import CostLine
from costtrack.reporting.forecast_shapes import forecast_line
from costtrack.reporting.plan_line import variance_lines
from costtrack.reporting.report import CostReport, ReportAlert
from costtrack.reporting.wording import counted, one_line, quantity_text, usd_text


def section_lines(report: CostReport) -> Iterator[tuple[str, list[str]]]:
    """Each section's heading and its lines, of which there is one at least; none of a report of the costs alone."""
    sections = report.sections
    if sections is None:
        return
    yield "Top Agents", [cost_line_text(line, with_tokens=True) for line in sections.agents] or ["No usage."]
    budgets = [_budget(one, report=report) for one in sections.budgets]
    yield "Budgets", _with_more(budgets, sections.more_budgets, "budget") or ["No budgets."]
    alerts = [_alert(one, report=report) for one in sections.alerts]
    yield "Alerts", _with_more(alerts, sections.more_alerts, "alert") or ["No alerts."]
    if sections.plan_variances is not None:
        runs = variance_lines(sections.plan_variances, sections.more_runs)
        yield "Plan Variance", runs or ["No runs with a plan."]
    forecasts = [forecast_line(one) for one in sections.forecasts]
    yield "Forecast", forecasts or [f"No forecast: the period is over (until {max(report.days.days())})"]


def cost_line_text(line: CostLine, *, with_tokens: bool) -> str:
    """For example `gpt-4: $38.21 (89 calls, 198,432 tokens)`."""
    figures = line.figures
    details = [counted(figures.calls, "call")]
    if with_tokens:
        details.append(counted(figures.total_tokens, "token"))
    if figures.unpriced_calls and figures.known_cost_usd is not None:
        details.append(f"{figures.unpriced_calls:,} unpriced")
    return f"{one_line(line.name)}: {usd_text(figures.known_cost_usd)} ({', '.join(details)})"


def _budget(status: BudgetStatus, *, report: CostReport) -> str:
    name = one_line(status.budget) if report.organization else f"{status.organization}: {one_line(status.budget)}"
    if status.subject:
        name += f", {one_line(status.subject_text)}"
    unit = "" if status.metric == "cost_usd" else f" {status.metric}"
    of_limit = "" if status.limit is None else f" of {quantity_text(status.limit, status.metric)}"
    told = [f"{quantity_text(status.spent, status.metric)}{of_limit}{unit} spent"]
    if status.percent is not None:
        told[0] += f" ({status.percent:.0f} %)"
    if held := status.held + status.leased:
        told.append(f"{quantity_text(held, status.metric)} held")
    told.append(status.state.value)
    if status.resets_at is not None:
        told.append(f"until {_local(status.resets_at, report=report)}")
    if status.other_subjects:
        told.append(f"{status.other_subjects:,} more like it")
    return f"{name}: {', '.join(told)}"


def _alert(alert: ReportAlert, *, report: CostReport) -> str:
    return f"{_local(alert.raised_at, report=report)} {alert.severity}: {one_line(alert.message)} ({alert.state})"


def _with_more(lines: list[str], more: int, noun: str) -> list[str]:
    return [*lines, f"and {counted(more, f'more {noun}')}"] if more else lines


def _local(instant: datetime, *, report: CostReport) -> str:
    """To the minute, by the clock of the report's first instant."""
    return f"{instant.astimezone(report.period_start.tzinfo):%Y-%m-%d %H:%M}"

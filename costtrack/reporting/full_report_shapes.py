"""A whole report as a plain value for JSON."""

from __future__ import annotations

from typing import Any

from costtrack.reporting.budget_shapes import budget_shape
from costtrack.reporting.forecast_shapes import forecast_shape
from costtrack.reporting.plan_line import variance_lines
from costtrack.reporting.report import CostReport
from costtrack.reporting.run_shapes import variance_shape
from costtrack.reporting.shapes import full_report_shape, lines_shape
from costtrack.reporting.variance import RunVariance


def whole_report_shape(report: CostReport) -> dict[str, Any]:
    """`full_report_shape`, and the sections of a report that has them."""
    shape, sections = full_report_shape(report), report.sections
    if sections is None:
        return shape
    runs = sections.plan_variances
    return {
        **shape,
        "top_agents": lines_shape("agent", sections.agents),
        "budgets": [budget_shape(one) for one in sections.budgets],
        "more_budgets": sections.more_budgets,
        "alerts": [
            {
                "raised_at": one.raised_at.isoformat(),
                "severity": one.severity,
                "state": one.state,
                "message": one.message,
            }
            for one in sections.alerts
        ],
        "more_alerts": sections.more_alerts,
        "plan_variance": None if runs is None else variance_lines(runs, sections.more_runs),
        "runs": None if runs is None else [_run_shape(one) for one in runs],
        "more_runs": sections.more_runs,
        "forecast": [forecast_shape(one) for one in sections.forecasts],
    }


def _run_shape(variance: RunVariance) -> dict[str, Any]:
    run = variance.run
    return {"organization": run.organization.slug, "name": run.name, **variance_shape(variance)}

"""The endpoints' paths, each with and without a slash at its end.

A host mounts them: `path("api/costs/", include("costtrack.api.urls"))`.
"""

from __future__ import annotations

from costtrack.api import (
    agents,
    alerts,
    budget_standing,
    budgets,
    forecast,
    health,
    holds,
    me,
    organizations,
    plans,
    projects,
    rates,
    runs,
    summary,
    usage,
    usage_detail,
    views,
    what_if,
)
from costtrack.api.otlp import traces
from costtrack.api.routes import route

app_name = "costtrack_api"

urlpatterns = [
    route("summary", summary.SummaryView, name="summary"),
    route("daily", views.DailyView, name="daily"),
    route("weekly", views.WeeklyView, name="weekly"),
    route("monthly", views.MonthlyView, name="monthly"),
    route("conversation/<path:conversation_id>", views.ConversationView, name="conversation"),
    route("trend", views.TrendView, name="trend"),
    route("forecast", forecast.ForecastView, name="forecast"),
    route("top-conversations", views.TopConversationsView, name="top-conversations"),
    route("report/daily", views.DailyReportView, name="report-daily"),
    route("report/weekly", views.WeeklyReportView, name="report-weekly"),
    route("report/monthly", views.MonthlyReportView, name="report-monthly"),
    route("entity/<str:entity_type>", views.EntityTypeView, name="entity-type"),
    route("entity/<str:entity_type>/<path:entity_id>", views.EntityView, name="entity"),
    route("what-if", what_if.WhatIfView, name="what-if"),
    route("recommendations", what_if.RecommendationsView, name="recommendations"),
    route("usage", usage.UsageRecordsView, name="usage"),
    route("usage/<str:usage_id>", usage_detail.UsageRecordView, name="usage-record"),
    route("otlp/v1/traces", traces.TracesView, name="otlp-traces"),
    route("reserve", holds.ReserveView, name="reserve"),
    route("holds/<str:hold_id>/settle", holds.SettleView, name="hold-settle"),
    route("holds/<str:hold_id>/release", holds.ReleaseView, name="hold-release"),
    route("holds/<str:hold_id>/renew", holds.RenewView, name="hold-renew"),
    route("budgets", budgets.BudgetsView, name="budgets"),
    route("budgets/status", budget_standing.BudgetsStatusView, name="budgets-status"),
    route("budgets/<str:budget_id>", budgets.BudgetView, name="budget"),
    route("budgets/<str:budget_id>/status", budget_standing.BudgetStatusView, name="budget-status"),
    route("budgets/<str:budget_id>/changes", budgets.BudgetChangesView, name="budget-changes"),
    route("alerts", alerts.AlertsView, name="alerts"),
    route("alerts/<str:alert_id>", alerts.AlertView, name="alert"),
    route("alerts/<str:alert_id>/acknowledge", alerts.AcknowledgeView, name="alert-acknowledge"),
    route("alerts/<str:alert_id>/resolve", alerts.ResolveView, name="alert-resolve"),
    route("alerts/<str:alert_id>/reopen", alerts.ReopenView, name="alert-reopen"),
    route("alerts/<str:alert_id>/note", alerts.NoteView, name="alert-note"),
    route("plans", plans.PlansView, name="plans"),
    route("plans/<str:plan_id>", plans.PlanView, name="plan"),
    route("runs", runs.RunsView, name="runs"),
    route("runs/<str:run_id>", runs.RunView, name="run"),
    route("runs/<str:run_id>/variance", runs.RunVarianceView, name="run-variance"),
    route("rates", rates.RatesView, name="rates"),
    route("rates/<str:rate_id>", rates.RateView, name="rate"),
    route("rates/<str:rate_id>/end", rates.RateEndView, name="rate-end"),
    route("organizations", organizations.OrganizationsView, name="organizations"),
    route("projects", projects.ProjectsView, name="projects"),
    route("agents", agents.AgentsView, name="agents"),
    route("me", me.MeView, name="me"),
    route("health", health.HealthView, name="health"),
]

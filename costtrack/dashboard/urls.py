"""The pages' paths. A host mounts them: `path("costs/", include("costtrack.dashboard.urls"))`."""

from __future__ import annotations

from django.urls import path

from costtrack.dashboard import (
    alerts,
    budgets,
    channels,
    costs,
    events,
    health,
    mine,
    owner_pages,
    plans,
    rates,
    recommendations,
    reconcile,
    resources,
    usage,
    usage_row,
)

app_name = "costtrack_dashboard"

urlpatterns = [
    path("", costs.OverviewPage.as_view(), name="overview"),
    path("projects/<int:project_id>/", owner_pages.ProjectPage.as_view(), name="project"),
    path("agents/<int:agent_id>/", owner_pages.AgentPage.as_view(), name="agent"),
    path("budgets/", budgets.BudgetsPage.as_view(), name="budgets"),
    path("budgets/<int:budget_id>/", budgets.BudgetPage.as_view(), name="budget"),
    path("alerts/", alerts.AlertsPage.as_view(), name="alerts"),
    path("alerts/<uuid:alert_id>/acknowledge/", alerts.AcknowledgePage.as_view(), name="acknowledge"),
    path("alerts/channels/<int:channel_id>/test/", channels.ChannelTestPage.as_view(), name="test-channel"),
    path("usage/", usage.UsagePage.as_view(), name="usage"),
    path("usage/<int:usage_id>/", usage_row.UsageRowPage.as_view(), name="usage-row"),
    path("resources/", resources.ResourcesPage.as_view(), name="resources"),
    path("plans/", plans.PlansPage.as_view(), name="plans"),
    path("rates/", rates.RatesPage.as_view(), name="rates"),
    path("reconcile/", reconcile.ReconcilePage.as_view(), name="reconcile"),
    path("recommendations/", recommendations.RecommendationsPage.as_view(), name="recommendations"),
    path("recommendations/look/", recommendations.LookPage.as_view(), name="look"),
    path("mine/", mine.MinePage.as_view(), name="mine"),
    path("events/", events.events, name="events"),
    path("health/", health.HealthPage.as_view(), name="health"),
]

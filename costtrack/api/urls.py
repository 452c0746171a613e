"""The endpoints' paths, each with and without a slash at its end.

A host mounts them: `path("api/costs/", include("costtrack.api.urls"))`.
"""

from __future__ import annotations

from django.urls import re_path

from costtrack.api import health, holds, ingest, me, organizations, views

app_name = "costtrack_api"

urlpatterns = [
    re_path(r"^daily/?\Z", views.DailyView.as_view(), name="daily"),
    re_path(r"^weekly/?\Z", views.WeeklyView.as_view(), name="weekly"),
    re_path(r"^monthly/?\Z", views.MonthlyView.as_view(), name="monthly"),
    re_path(r"^conversation/(?P<conversation_id>.+?)/?\Z", views.ConversationView.as_view(), name="conversation"),
    re_path(r"^trend/?\Z", views.TrendView.as_view(), name="trend"),
    re_path(r"^top-conversations/?\Z", views.TopConversationsView.as_view(), name="top-conversations"),
    re_path(r"^report/daily/?\Z", views.DailyReportView.as_view(), name="report-daily"),
    re_path(r"^report/weekly/?\Z", views.WeeklyReportView.as_view(), name="report-weekly"),
    re_path(r"^report/monthly/?\Z", views.MonthlyReportView.as_view(), name="report-monthly"),
    re_path(r"^entity/(?P<entity_type>[^/]+)/?\Z", views.EntityTypeView.as_view(), name="entity-type"),
    re_path(r"^entity/(?P<entity_type>[^/]+)/(?P<entity_id>.+?)/?\Z", views.EntityView.as_view(), name="entity"),
    re_path(r"^usage/?\Z", ingest.UsageView.as_view(), name="usage"),
    re_path(r"^reserve/?\Z", holds.ReserveView.as_view(), name="reserve"),
    re_path(r"^holds/(?P<hold_id>[^/]+)/settle/?\Z", holds.SettleView.as_view(), name="hold-settle"),
    re_path(r"^holds/(?P<hold_id>[^/]+)/release/?\Z", holds.ReleaseView.as_view(), name="hold-release"),
    re_path(r"^holds/(?P<hold_id>[^/]+)/renew/?\Z", holds.RenewView.as_view(), name="hold-renew"),
    re_path(r"^organizations/?\Z", organizations.OrganizationsView.as_view(), name="organizations"),
    re_path(r"^me/?\Z", me.MeView.as_view(), name="me"),
    re_path(r"^health/?\Z", health.HealthView.as_view(), name="health"),
]

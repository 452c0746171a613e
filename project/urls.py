"""Urls of the example site: the home page, the admin, the REST API, the dashboard."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.staticfiles.storage import staticfiles_storage
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView, TemplateView

urlpatterns: list[URLPattern | URLResolver] = [
    path("", TemplateView.as_view(template_name="home.html"), name="home"),
    path("favicon.ico", RedirectView.as_view(url=staticfiles_storage.url("costtrack/icon.svg")), name="favicon"),
    path("admin/", admin.site.urls),
    path("api/costs/", include("costtrack.api.urls")),
    path("costs/", include("costtrack.dashboard.urls")),
]

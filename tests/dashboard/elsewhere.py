"""A site that serves the dashboard alone, below another path."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("deep/down/", include("costtrack.dashboard.urls"))]

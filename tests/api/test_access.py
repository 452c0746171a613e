from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from rest_framework.authentication import BasicAuthentication

from costtrack.access.readers import may_read_costs, readable_organizations
from costtrack.api.urls import urlpatterns
from costtrack.api.views import DailyView
from tests.reporting.booked import organization

pytestmark = pytest.mark.django_db

PATHS = {
    "daily": "daily",
    "weekly": "weekly",
    "monthly": "monthly",
    "conversation": "conversation/t1",
    "trend": "trend",
    "top-conversations": "top-conversations",
    "report-daily": "report/daily",
    "report-weekly": "report/weekly",
    "report-monthly": "report/monthly",
    "entity-type": "entity/job",
    "entity": "entity/job/1",
    "health": "health",
}


def test_every_route_is_tried_below() -> None:
    assert {pattern.name for pattern in urlpatterns} == set(PATHS)


@pytest.mark.parametrize("path", PATHS.values())
def test_who_is_not_logged_in_reads_nothing(client: Client, path: str) -> None:
    response = client.get(f"/api/costs/{path}")
    assert response.status_code in (401, 403)
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", PATHS.values())
def test_who_is_not_staff_reads_nothing(somebody: Client, path: str) -> None:
    response = somebody.get(f"/api/costs/{path}", {"organization": "acme"})
    assert response.status_code == 403
    assert response.json()["title"] == "Forbidden"


@pytest.mark.parametrize("path", PATHS.values())
def test_nothing_is_written_here(staff: Client, path: str) -> None:
    for method in ("post", "put", "patch", "delete"):
        response = getattr(staff, method)(f"/api/costs/{path}")
        assert response.status_code == 405
        assert response["Content-Type"] == "application/problem+json"
        assert "GET" in response["Allow"]


def test_a_host_s_authentication_names_its_challenge(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DailyView, "authentication_classes", (BasicAuthentication,))
    response = client.get("/api/costs/daily")
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Basic realm="api"'


@pytest.mark.parametrize(
    ("fields", "may"), [({"is_staff": True}, True), ({}, False), ({"is_staff": True, "is_active": False}, False)]
)
def test_active_staff_may_read_every_organization(fields: dict[str, Any], may: bool) -> None:
    organization()
    user = get_user_model().objects.create_user(username="person", **fields)
    assert may_read_costs(user) is may
    assert readable_organizations(user).count() == int(may)


def test_nobody_may_read_nothing() -> None:
    organization()
    for user in (None, AnonymousUser()):
        assert not may_read_costs(user)
        assert not readable_organizations(user).exists()

from __future__ import annotations

import pytest
from django.test import Client
from rest_framework.authentication import BasicAuthentication

from costtrack.api.views import DailyView
from tests.api.callers import GET_PATHS, OF_ORGANIZATIONS, PATHS, ROOT, person
from tests.reporting.booked import organization

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", GET_PATHS.values())
def test_who_is_not_logged_in_reads_nothing(client: Client, path: str) -> None:
    response = client.get(ROOT + path)
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert response["WWW-Authenticate"] == 'Bearer realm="costtrack"'


@pytest.mark.parametrize("path", OF_ORGANIZATIONS)
def test_who_belongs_to_no_organization_reads_nothing(somebody: Client, path: str) -> None:
    organization("acme")
    for question in ({}, {"organization": "acme"}, {"organization": "unknown"}):
        response = somebody.get(ROOT + path, question)
        assert response.status_code == 403
        assert response.json()["title"] == "Forbidden"


@pytest.mark.parametrize("path", OF_ORGANIZATIONS)
def test_being_staff_alone_grants_nothing(path: str) -> None:
    organization("acme")
    staff = person(is_staff=True)
    assert staff.get(ROOT + path, {"organization": "acme"}).status_code == 403


@pytest.mark.parametrize("path", GET_PATHS.values())
def test_nothing_is_written_where_costs_are_read(superuser: Client, path: str) -> None:
    for method in ("post", "put", "patch", "delete"):
        if path in PATHS.get(method, {}).values():
            continue
        response = getattr(superuser, method)(ROOT + path)
        assert response.status_code == 405
        assert response["Content-Type"] == "application/problem+json"
        assert "GET" in response["Allow"]


def test_a_host_s_authentication_names_its_challenge_beside_ours(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DailyView, "authentication_classes", (BasicAuthentication,))
    response = client.get("/api/costs/daily")
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="costtrack", Basic realm="api"'

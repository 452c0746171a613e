"""Where the demo sends people: to this project's own addresses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.urls import include, path

from costtrack.domain.periods import day_range
from costtrack.management.demo.figures import DemoFigures
from costtrack.management.demo.next_steps import next_steps
from costtrack.reporting.figures import CostLine, Figures
from tests.reporting.booked import NOVEMBER_16

pytestmark = pytest.mark.django_db


class MountedElsewhere:
    urlpatterns = (
        path("office/", admin.site.urls),
        path("shop/spend/", include("costtrack.api.urls", namespace="spend")),
    )


class NothingMounted:
    urlpatterns = ()


def said() -> str:
    whole = Figures(calls=1, cost_usd=Decimal(1))
    figures = DemoFigures(
        organizations=(),
        days=day_range(NOVEMBER_16),
        whole=whole,
        by_organization=(CostLine("demo-retail", whole),),
        agents=(),
        unpriced=(),
    )
    return next_steps(figures, password="secret")


def test_the_example_site_s_addresses() -> None:
    assert "  http://127.0.0.1:8000/admin/ " in said()
    assert "  http://127.0.0.1:8000/api/costs/daily " in said()


def test_a_project_s_own_addresses(settings: Any) -> None:
    settings.ROOT_URLCONF = MountedElsewhere
    assert "  http://127.0.0.1:8000/office/ " in said()
    assert "  http://127.0.0.1:8000/shop/spend/daily " in said()
    assert "/api/costs/" not in said()


def test_what_is_not_mounted_is_told_by_the_line_that_mounts_it(settings: Any) -> None:
    settings.ROOT_URLCONF = NothingMounted
    assert '  add path("admin/", admin.site.urls) to your urls ' in said()
    assert '  add path("api/costs/", include("costtrack.api.urls")) to your urls ' in said()
    assert "http://" not in said()
    assert "demo-admin, password secret" in said()

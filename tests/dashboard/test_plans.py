"""Plan against actual."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from costtrack.models import CostPlan, Organization, UsageRun
from tests.dashboard.reading import opened
from tests.reporting.booked import book

pytestmark = pytest.mark.django_db

NOON = datetime(2023, 11, 16, 12, tzinfo=UTC)


def run(acme: Organization, index: int, *, plan: CostPlan | None = None, **fields: object) -> UsageRun:
    values = {
        "run_id": f"docs-{index}",
        "name": "docs",
        "run_index": index,
        "started_at": NOON + timedelta(minutes=index),
    }
    linked = {} if plan is None else {"plan_id": plan.plan_id, "snapshot": plan}
    return UsageRun.objects.create(organization=acme, **{**values, **linked, **fields})


@pytest.fixture
def plan(acme: Organization) -> CostPlan:
    """10 USD and 4 calls."""
    return CostPlan.objects.create(
        organization=acme,
        name="docs",
        sequence=1,
        plan_id="abc123",
        estimated_calls=4,
        estimated_total_tokens=2000,
        estimated_cost_usd=Decimal(10),
        cost_basis="given",
        recorded_at=NOON,
        first_recorded_at=NOON,
    )


def test_a_run_stands_beside_its_plan(viewer: Client, acme: Organization, plan: CostPlan) -> None:
    run(acme, 1, plan=plan, status="completed", completed_at=NOON + timedelta(hours=1))
    for _ in range(3):
        book(acme, "5", run="docs-1", input_tokens=400, output_tokens=100)
    page = opened(viewer, "plans/")
    [row] = page.by_id("ct-runs").rows
    # 15 of 10 planned: half more; 3 calls of 4, 1,500 tokens of 2,000
    assert row == [
        "docs #1 completed 16 Nov 2023, 12:01",
        "docs (abc123)",
        "$10.00",
        "$15.00",
        "docs #1: $15.00 of $10.00 planned",
        "+50 %",
        "3 of 4",
        "1,500 of 2,000",
    ]
    [bar] = page.by_id("ct-runs").all("svg")
    assert len(bar.all("rect", class_="ct-over")) == 1
    usage = opened(viewer, page.by_id("ct-runs").one("a").attributes["href"].removeprefix("/costs/"))
    assert len(usage.by_id("ct-usage").rows) == 3


def test_without_a_plan_nothing_is_compared(viewer: Client, acme: Organization) -> None:
    run(acme, 1)
    run(acme, 2, plan_id="gone")
    book(acme, None, run="docs-1")
    second, first = opened(viewer, "plans/").by_id("ct-runs").rows
    assert first[1:] == ["no plan", "–", "unpriced 1 unpriced", "", "–", "1", "0"]  # noqa: RUF001
    assert second[1] == "its plan is not kept"


def test_runs_are_filtered_by_status_and_paged(viewer: Client, acme: Organization) -> None:
    for index in range(1, 28):
        run(acme, index, status="failed" if index == 3 else "completed", completed_at=NOON + timedelta(days=1))
    page = opened(viewer, "plans/")
    [following] = [link for link in page.all("a") if link.attributes.get("rel") == "next"]
    second = opened(viewer, following.attributes["href"].removeprefix("/costs/"))
    assert [len(one.by_id("ct-runs").rows) for one in (page, second)] == [25, 2]
    [failed] = opened(viewer, "plans/", status="failed").by_id("ct-runs").rows
    assert failed[0].startswith("docs #3 failed")
    assert "No run is like that." in opened(viewer, "plans/", status="crashed").text

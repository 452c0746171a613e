"""What runs used: late prices, corrections, free calls, and the lines that reports have."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from costtrack import adjust_usage, record_plan, record_usage, run_variance, usage_run, void_usage
from costtrack.metering.reprice import apply_repricing, repricings
from costtrack.models import Organization, UsageRun
from costtrack.reporting.plan_line import plan_variance_lines
from costtrack.reporting.run_figures import RunFigures, buckets_of, totals_of
from tests.factories import NOON, make_organization, make_rate

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(db: None) -> Organization:
    make_rate()
    return make_organization()


def use(**fields: Any) -> Any:
    """1,000 x 3 + 100 x 15 = 4,500 per million: 0.0045 USD."""
    call: dict[str, Any] = {"model": "test-model", "provider": "openai", "input_tokens": 1_000, "output_tokens": 100}
    return record_usage(**{**call, **fields})


def figures_of(run: UsageRun) -> RunFigures:
    total = totals_of([run])[run.pk]
    assert total == run_variance(run).figures, "the sum of its buckets"
    return total


def test_a_voided_call_is_in_no_figure_and_an_adjusted_one_as_it_is_now(acme: Organization) -> None:
    with usage_run("docs", organization="acme") as run:
        void_usage(use(), reason="never made")
        adjust_usage(use(), reason="a discount", cost_usd="-0.0005")
    row = UsageRun.objects.get(run_id=run.run_id)
    assert figures_of(row) == RunFigures(
        calls=1,
        prompt_tokens=1_000,
        completion_tokens=100,
        cost_usd_estimated=Decimal("0.004"),
        cost_estimated_for_calls=1,
    )


def test_a_price_that_comes_late_makes_an_unknown_cost_an_estimated_one(acme: Organization) -> None:
    with usage_run("docs", organization="acme") as run:
        use(model="late-model")
    row = UsageRun.objects.get(run_id=run.run_id)
    before = figures_of(row)
    assert (before.cost_status, before.cost_usd_total, before.cost_unknown_for_calls) == ("unknown", None, 1)
    make_rate("late-model")
    today = row.started_at.date()
    [late] = repricings(start=today - timedelta(days=1), end=today + timedelta(days=2))
    apply_repricing(late, reason="the price is known")
    after = figures_of(row)
    assert (after.cost_status, after.cost_usd_total, after.cost_estimated_for_calls) == (
        "estimated",
        Decimal("0.0045"),
        1,
    )


def test_a_cost_is_as_sure_as_its_least_sure_call(acme: Organization) -> None:
    make_rate("house", per_million=("0", "0"))
    runs = {}
    for name, calls in (
        ("known", [{"cost_usd": "0.1"}]),
        ("free", [{"model": "house"}]),
        ("estimated", [{"cost_usd": "0.1"}, {}]),
        ("unknown", [{"cost_usd": "0.1"}, {}, {"model": "unheard-of"}]),
        ("nothing", []),
    ):
        with usage_run(name, organization="acme") as run:
            for fields in calls:
                use(**fields)
        runs[name] = figures_of(UsageRun.objects.get(run_id=run.run_id))
    assert {name: (one.cost_status.value, one.cost_usd_total) for name, one in runs.items()} == {
        "known": ("known", Decimal("0.1")),
        "free": ("estimated", Decimal(0)),
        "estimated": ("estimated", Decimal("0.1045")),
        "unknown": ("unknown", Decimal("0.1045")),
        "nothing": ("known", Decimal(0)),
    }


def test_the_same_run_id_of_two_organizations_is_two_runs(acme: Organization) -> None:
    make_organization("globex")
    for slug, calls in (("acme", 1), ("globex", 2)):
        with usage_run("docs", organization=slug, run_id="job-7"):
            for _ in range(calls):
                use()
    runs = list(UsageRun.objects.order_by("organization__slug"))
    assert [totals_of(runs)[run.pk].calls for run in runs] == [1, 2]
    assert [buckets_of(runs)[run.pk][0].figures.calls for run in runs] == [1, 2]


def test_reports_have_a_line_for_each_planned_run_of_the_period_and_say_how_many_more(acme: Organization) -> None:
    make_organization("globex")
    for slug, number in (("acme", 12), ("globex", 1)):
        plan = record_plan("docs", organization=slug, estimated_calls=2, estimated_cost_usd=1)
        for _ in range(number):
            with usage_run(plan=plan):
                use(cost_usd="3")
    with usage_run("unplanned", organization="acme"):
        use()
    UsageRun.objects.update(started_at=NOON, completed_at=NOON)
    UsageRun.objects.filter(organization=acme, run_index=12).update(completed_at=None, status="running")
    lines = plan_variance_lines(acme, NOON, NOON + timedelta(days=1))
    assert len(lines) == 11
    assert lines[0] == "Plan variance: docs #12: $3.00 of $1.00 planned (+$2.00, ratio 3), 1 of 2 calls."
    assert lines[-1] == "Plan variance: 2 more runs with a plan."
    assert plan_variance_lines(acme, NOON - timedelta(days=1), NOON) == []
    assert len(plan_variance_lines(None, NOON, NOON + timedelta(days=1))) == 11

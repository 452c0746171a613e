"""What is told besides budgets: each finding once, with the figures that it was made from."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from costtrack.aggregation import fold_pending, verify_books
from costtrack.alerts.findings.all import raise_all_findings
from costtrack.alerts.findings.anomalies import usual_cost
from costtrack.alerts.findings.books import raise_books_alert
from costtrack.domain.tokens import TokenUsage
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetAlert, DailyCostSummary, Organization, Rate
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quiet_machine(tmp_path: Any, settings: Any) -> Any:
    settings.COSTTRACK = {**settings.COSTTRACK, "SPOOL_DIR": str(tmp_path)}
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme() -> Organization:
    return make_organization()


def test_a_model_without_a_price_is_told_once_a_month_and_organization(acme: Organization) -> None:
    make_organization("globex")
    record_events([make_event(model="unheard-of"), make_event(model="unheard-of")])
    record_events([make_event(model="unheard-of", attribution={"organization": "globex"})])
    found = raise_all_findings()
    assert {(one.kind, str(one.organization), one.figures["model"], one.figures["calls"]) for one in found} == {
        ("unpriced", "acme", "unheard-of", 2),
        ("unpriced", "globex", "unheard-of", 1),
    }
    assert "unheard-of of openai has no price" in found[0].message
    assert raise_all_findings() == []
    with time_machine.travel(NOON + timedelta(days=11), tick=False):  # December, but not used for a week
        assert raise_all_findings() == []


def test_a_model_that_has_a_price_by_now_is_not_told(acme: Organization) -> None:
    make_rate()
    record_events([make_event()])
    assert raise_all_findings() == []


def test_calls_that_told_no_usage_are_not_said_to_lack_a_rate(acme: Organization) -> None:
    make_rate()
    record_events([make_event(usage_missing=True, tokens=TokenUsage())])
    [found] = raise_all_findings()
    assert "has a rate now, but what 1 call of the last 7 days cost is unknown" in found.message
    assert "those that told no usage nothing can" in found.message


def cost_a_day(costs: list[str]) -> None:
    """The last of them is today's, in USD."""
    for back, cost in enumerate(reversed(costs)):
        at = NOON - timedelta(days=back)
        record_events([make_event(occurred_at=at, reported_cost_usd=Decimal(cost))])


def test_a_day_beyond_what_28_days_explain_is_told_with_its_method(acme: Organization) -> None:
    # 28 days of 10 and 12 in turns: the median is 11, each lies 1 from it, so the limit is
    # 11 + max(3.5 x 1.4826 x 1, 11 / 4, 1) = 11 + 5.1891 = 16.1891.
    cost_a_day(["10", "12"] * 14 + ["16.18"])
    assert raise_all_findings() == []
    record_events([make_event(reported_cost_usd=Decimal("0.01"))])  # 16.19
    (found,) = raise_all_findings()
    assert (found.kind, found.key, found.figures["median"], found.figures["limit"], found.figures["cost"]) == (
        "anomaly",
        "2026-11-20",
        "11",
        "16.1891",
        "16.19",
    )
    assert "median of the 28 days before" in found.message
    assert raise_all_findings() == []


@pytest.mark.parametrize(
    ("costs", "limit"),
    [
        ([Decimal(100)] * 28, Decimal(125)),  # no spread: a quarter above
        ([Decimal(1)] * 28, Decimal(2)),  # a dollar above
        ([Decimal(0)] * 14 + [Decimal(1)] * 14, Decimal("0.5") + Decimal("3.5") * Decimal("1.4826") / 2),
        ([Decimal(0)] * 15 + [Decimal(1)] * 13, None),  # too few days with cost
    ],
)
def test_the_limit_is_a_median_and_a_robust_deviation(costs: list[Decimal], limit: Decimal | None) -> None:
    usual = usual_cost(costs)
    assert (None if usual is None else usual.limit) == limit


def test_metering_that_needs_somebody_is_told_once_a_day(acme: Organization, tmp_path: Any) -> None:
    (tmp_path / "dead-letters.jsonl").write_text('{"reason": "no such thing", "event": {}}\n')
    (found,) = raise_all_findings()
    assert (found.kind, found.organization, found.severity) == ("metering", None, "critical")
    assert "flush_usage --retry-dead-letters" in found.message
    assert raise_all_findings() == []


def test_prices_that_nobody_has_loaded_for_half_a_year_are_told_while_they_are_used(acme: Organization) -> None:
    make_rate(source="genai-prices")
    record_events([make_event()])
    assert raise_all_findings() == []
    Rate.objects.update(updated_at=NOON - timedelta(days=180) + timedelta(seconds=1))
    assert raise_all_findings() == []
    Rate.objects.update(updated_at=NOON - timedelta(days=180))
    (found,) = raise_all_findings()
    assert (found.kind, found.figures["days"]) == ("stale_rate", 180)
    assert raise_all_findings() == []


def test_books_that_differ_are_told_once_per_organization_and_day(acme: Organization) -> None:
    make_rate()
    record_events([make_event(), make_event(occurred_at=NOON - timedelta(days=1))])
    assert raise_books_alert(verify_books()) == []
    DailyCostSummary.all_grains.update(calls=7)
    found = raise_books_alert(verify_books())
    assert sorted((str(one.organization), one.key, one.severity) for one in found) == [
        ("acme", "2026-11-19", "critical"),
        ("acme", "2026-11-20", "critical"),
    ]
    assert raise_books_alert(verify_books()) == []
    assert BudgetAlert.objects.count() == 2


def test_books_that_differ_only_in_the_sums_of_all_organizations_are_told_about_the_site(acme: Organization) -> None:
    make_rate()
    record_events([make_event(), make_event(occurred_at=NOON - timedelta(days=1))])
    fold_pending()
    DailyCostSummary.all_grains.filter(grain="site").update(calls=7)
    DailyCostSummary.all_grains.filter(grain="org", day=NOON.date()).update(calls=7)
    found = raise_books_alert(verify_books())
    assert sorted((str(one.organization), one.key) for one in found) == [("None", "2026-11-19"), ("acme", "2026-11-20")]
    assert found[0].figures["ledger_minus_summary"] == {"calls": "-6"}
    assert raise_books_alert(verify_books()) == []

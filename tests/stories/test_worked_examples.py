"""Whole stories, from rates and calls to the report, with every figure worked out by hand beside it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.core.management import call_command

import costtrack
from costtrack.aggregation import fold_pending, verify_books
from costtrack.metering.reprice import apply_repricing, repricings
from costtrack.models import DailyCostSummary, Rate, RateTier, ResourceUsage
from costtrack.pricing.ratebook import forget_rates
from tests.factories import make_organization, make_rate, summed

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 11, 16, 10, tzinfo=UTC)
MID_MONTH = datetime(2025, 11, 17, 10, tzinfo=UTC)


def cost_of(day: date) -> Decimal:
    rows = DailyCostSummary.objects.filter(day=day)
    return summed(sum((row.cost_usd for row in rows), Decimal(0)))


def test_a_price_cut_at_midnight_leaves_the_days_before_it_alone() -> None:
    make_organization("default")
    make_rate("sonnet", "anthropic", per_million=("3", "15"))
    make_rate("sonnet", "anthropic", per_million=("2", "10"), effective_from=datetime(2026, 11, 17, tzinfo=UTC))
    for moment in (datetime(2026, 11, 16, 23, 59, 59, 999999, tzinfo=UTC), datetime(2026, 11, 17, tzinfo=UTC)):
        costtrack.record_usage(
            model="sonnet", provider="anthropic", input_tokens=100_000, output_tokens=10_000, occurred_at=moment
        )
    # Before: 100,000 x 3 + 10,000 x 15 = 450,000 per million. From midnight: 200,000 + 100,000 = 300,000.
    assert cost_of(date(2026, 11, 16)) == Decimal("0.45")
    assert cost_of(date(2026, 11, 17)) == Decimal("0.30")


def test_an_agent_that_reads_a_long_cached_prompt_pays_each_class_its_price() -> None:
    make_organization("default")
    rate = make_rate(
        "sonnet",
        "anthropic",
        per_million=("3", "15"),
        cache_read_usd_per_million=Decimal("0.3"),
        cache_write_usd_per_million=Decimal("3.75"),
        cache_write_1h_usd_per_million=Decimal("6"),
    )
    RateTier.objects.create(
        rate=rate,
        above_input_tokens=200_000,
        input_usd_per_million=Decimal(6),
        output_usd_per_million=Decimal("22.5"),
        cache_read_usd_per_million=Decimal("0.6"),
    )
    forget_rates()
    usage = {
        "input_tokens": 500,  # Anthropic's own figure leaves cached tokens out
        "output_tokens": 1_000,
        "cache_read_input_tokens": 150_000,
        "cache_creation_input_tokens": 30_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 20_000, "ephemeral_1h_input_tokens": 10_000},
    }

    def answer(**changes: int) -> dict[str, object]:
        return {"type": "message", "id": "", "model": "sonnet", "role": "assistant", "usage": {**usage, **changes}}

    with costtrack.meter("research", provider="anthropic", occurred_at=MONDAY) as call:
        call.observe(answer())
    # 180,500 in all: 500 x 3 + 150,000 x 0.3 + 20,000 x 3.75 + 10,000 x 6 + 1,000 x 15
    # = 1,500 + 45,000 + 75,000 + 60,000 + 15,000 = 196,500 per million
    assert call.cost_usd == Decimal("0.1965")
    row = ResourceUsage.objects.get()
    assert (row.input_tokens, row.cache_read_tokens, row.cache_write_tokens, row.cache_write_1h_tokens) == (
        180_500,
        150_000,
        20_000,
        10_000,
    )
    with costtrack.meter("research", provider="anthropic", occurred_at=MONDAY) as call:
        call.observe(answer(cache_read_input_tokens=170_000))
    # 200,500 is above 200,000: the whole request at the tier, classes it does not name at the rate's own price:
    # 500 x 6 + 170,000 x 0.6 + 20,000 x 3.75 + 10,000 x 6 + 1,000 x 22.5
    # = 3,000 + 102,000 + 75,000 + 60,000 + 22,500 = 262,500 per million
    assert call.cost_usd == Decimal("0.2625")


def test_a_gpu_job_a_tool_and_a_failure_in_one_run() -> None:
    make_organization("lab")
    Rate.objects.create(
        provider="", model="a100", resource_type="gpu_seconds", unit_price_usd=Decimal("0.000611111111")
    )
    Rate.objects.create(provider="pubmed", model="*", resource_type="api_call", unit_price_usd=Decimal("0.002"))
    make_rate("test-model", per_million=("30", "60"))
    with costtrack.attribute(organization="lab", project="fold", entity=("hypothesis", "h-7"), run="run-1"):
        costtrack.record_usage(resource_type="gpu_seconds", model="a100", amount=2710, occurred_at=MONDAY)
        for _ in range(3):
            costtrack.record_api_call("pubmed", latency_ms=120, occurred_at=MONDAY)
        costtrack.record_api_call("pubmed", success=False, error="timeout", occurred_at=MONDAY)

        def failing_call() -> None:
            with costtrack.meter("draft", provider="openai", model="test-model", occurred_at=MONDAY):
                raise ConnectionError("reset by peer")

        with pytest.raises(ConnectionError):
            failing_call()
    # 2,710 x 0.000611111111 = 1.65611111081; 3 x 0.002 = 0.006; the failures cost nothing.
    assert cost_of(MONDAY.date()) == summed(Decimal("1.66211111081"))
    rows = ResourceUsage.objects.filter(entity_type="hypothesis", entity_id="h-7", run="run-1")
    assert rows.count() == 6
    assert sum(row.errors for row in rows) == 2
    assert sum(row.unpriced_calls for row in rows) == 0


def test_a_month_closes_with_a_refund_a_late_price_and_books_that_still_agree(capsys) -> None:
    make_organization("acme", timezone="America/New_York")
    make_rate(per_million=("10", "30"))
    late_evening = datetime(2025, 12, 1, 4, 30, tzinfo=UTC)  # 23:30 on 30 November in New York
    with costtrack.attribute(organization="acme", endpoint="chat"):
        kept = costtrack.record_usage(
            model="test-model", provider="openai", input_tokens=10_000, output_tokens=1_000, occurred_at=MID_MONTH
        )
        refunded = costtrack.record_usage(
            model="test-model", provider="openai", input_tokens=20_000, output_tokens=2_000, occurred_at=late_evening
        )
        costtrack.record_usage(model="new-model", provider="openai", input_tokens=5_000, occurred_at=late_evening)
    # 10,000 x 10 + 1,000 x 30 = 130,000 per million; twice that; unknown.
    assert kept.cost_usd == Decimal("0.13")
    assert cost_of(date(2025, 11, 30)) == Decimal("0.26")
    costtrack.void_usage(refunded.usage_id or 0, reason="the provider refunded the call")
    make_rate("new-model", per_million=("4", "8"))
    [late] = repricings(start=date(2025, 11, 1), end=date(2025, 12, 1), unpriced_only=True)
    apply_repricing(late, reason="price list of December")
    fold_pending()
    # November: 0.13 + 0.26 - 0.26 + 5,000 x 4 per million = 0.13 + 0.02
    assert cost_of(date(2025, 11, 17)) + cost_of(date(2025, 11, 30)) == Decimal("0.15")
    assert cost_of(date(2025, 12, 1)) == 0
    assert verify_books() == []
    call_command("cost_report", "monthly", "--date", "2025-11-30", "--organization", "acme")
    report = capsys.readouterr().out
    assert "$0.15" in report
    assert "# Monthly Cost Report - 2025-11" in report


def test_any_object_with_a_model_and_usage_is_understood_by_the_decorator() -> None:
    make_organization("default")
    make_rate("gpt-4", per_million=("30", "60"))

    @costtrack.track_api_call("generate_clusters")
    def generate(conversation_id: str) -> SimpleNamespace:
        usage = SimpleNamespace(prompt_tokens=1000, completion_tokens=500)
        return SimpleNamespace(model="gpt-4", usage=usage, text=conversation_id)

    generate("c-1")
    row = ResourceUsage.objects.get()
    # E2: 1,000 x 30 + 500 x 60 per million = 0.03 + 0.03
    assert row.cost_usd == Decimal("0.06")
    assert (row.endpoint, row.thread_id, row.calls) == ("generate_clusters", "c-1", 1)


def test_night_tariff_and_own_price_are_found_by_the_hour_and_the_customer() -> None:
    make_organization("default")
    own = make_organization("acme")
    make_rate("deep", "deepseek", per_million=("2", "4"))
    make_rate("deep", "deepseek", per_million=("1", "2"), window_start=time(16, 30), window_end=time(0, 30))
    make_rate("deep", "deepseek", per_million=("0.5", "1"), organization=own)

    def cost(at: datetime, organization: str) -> Decimal | None:
        return costtrack.record_usage(
            model="deep", provider="deepseek", input_tokens=1_000_000, occurred_at=at, organization=organization
        ).cost_usd

    midnight = datetime(2026, 11, 17, tzinfo=UTC)
    assert cost(midnight + timedelta(hours=16, minutes=29), "default") == Decimal(2)
    assert cost(midnight + timedelta(hours=16, minutes=30), "default") == Decimal(1)
    assert cost(midnight + timedelta(minutes=29), "default") == Decimal(1)
    assert cost(midnight + timedelta(minutes=30), "default") == Decimal(2)
    assert cost(midnight, "acme") == Decimal("0.5")

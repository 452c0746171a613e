"""A team asks what its month would have cost otherwise, corrects a wrong rate, and is told what to change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command

import costtrack
from costtrack.aggregation import fold_pending, verify_books
from costtrack.models import RateTier, ResourceUsage
from costtrack.pricing.ratebook import forget_rates
from costtrack.reporting.recommendations import recommendations, savings_by_kind
from tests.factories import make_organization, make_rate, summed

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)
WEEK = {"start": date(2026, 11, 16), "end": date(2026, 11, 23)}


def call(model: str, tokens: tuple[int, int], at: datetime, **said: Any) -> None:
    """One call of the website's writer."""
    costtrack.record_usage(
        **{"organization": "studio", "project": "website", "agent": "writer", "endpoint": "titles", **said},
        provider="maker",
        model=model,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        occurred_at=at,
    )


def test_a_week_on_another_model_by_another_card_and_by_a_corrected_rate(capsys: Any) -> None:
    studio = make_organization("studio")
    make_organization("neighbour")
    prose = make_rate("prose-large", "maker", per_million=("5", "25"))
    small = make_rate("prose-small", "maker", per_million=("0.5", "2"))
    RateTier.objects.create(
        rate=small, above_input_tokens=100_000, input_usd_per_million=Decimal(1), output_usd_per_million=Decimal(3)
    )
    forget_rates()
    # Short titles: 40 calls of 2,000 in, 50 out. One long report: 120,000 in, 4,000 out. A model without a rate.
    for number in range(40):
        call("prose-large", (2_000, 50), MONDAY + timedelta(minutes=number), user="7")
    call("prose-large", (120_000, 4_000), MONDAY, endpoint="report")
    call("house-model", (1_000, 100), MONDAY)
    call("prose-large", (9_999, 99), MONDAY, organization="neighbour")
    fold_pending()

    # Booked: 40 x (2,000 x 5 + 50 x 25) = 40 x 11,250 = 450,000; 120,000 x 5 + 4,000 x 25 = 700,000 per million.
    # On prose-small: 40 x (2,000 x 0.5 + 50 x 2) = 44,000; the report lies above 100,000, so all of it at the tier:
    # 120,000 x 1 + 4,000 x 3 = 132,000; the house model's call 1,000 x 0.5 + 100 x 2 = 700, with nothing to compare.
    found = costtrack.what_if(**WEEK, organization="studio", model="prose-small", provider="maker")
    assert (found.read_from, found.total.calls) == ("ledger", 42)
    assert found.total.booked_usd == Decimal("1.15")
    assert found.total.what_if_usd == Decimal("0.1767")
    assert (found.total.compared_calls, found.total.difference_usd) == (41, Decimal("-0.974"))

    # An offer at 4 and 20 for the large model: 40 x (8,000 + 1,000) + 480,000 + 80,000 = 920,000 per million. The offer
    # does not name the house model: it is listed.
    offer = {"prose-large": {"provider": "maker", "input_per_1m": "4", "output_per_1m": "20"}}
    found = costtrack.what_if(**WEEK, organization="studio", rates=offer)
    assert (found.total.what_if_usd, found.total.difference_usd) == (Decimal("0.92"), Decimal("-0.23"))
    assert [(one.model, one.calls, one.reason) for one in found.not_priced] == [("house-model", 1, "no_rate")]

    # The invoice shows that the large model cost 4 and 20 all the time, and the house model gets a rate of 1 and 1.
    # Studio: 0.92 - 1.15 = -0.23 and 1,100 per million = 0.0011. The neighbour's call: 9,999 x 5 + 99 x 25 = 52,470
    # becomes 9,999 x 4 + 99 x 20 = 41,976 per million: -0.010494.
    prices = ["--price", "input_usd_per_million=4", "--price", "output_usd_per_million=20"]
    call_command("correct_rate", str(prose.pk), *prices, "--source", "invoice")
    make_rate("house-model", "maker", per_million=("1", "1"))
    days = ["--from", "2026-11-16", "--to", "2026-11-22"]
    before = ResourceUsage.objects.count()
    call_command("reprice_usage", *days, "--dry-run", "--organization", "studio")
    assert "-$0.230000" in capsys.readouterr().out
    assert ResourceUsage.objects.count() == before
    call_command("reprice_usage", *days, "--apply", "--reason", "invoice of November", "--author", "ann")
    originals = ResourceUsage.objects.filter(kind="usage", organization=studio)
    assert summed(sum(row.cost_usd or 0 for row in originals)) == Decimal("1.15")
    booked = ResourceUsage.objects.filter(organization=studio)
    assert summed(sum(row.cost_usd or 0 for row in booked)) == Decimal("0.9211")
    neighbours = ResourceUsage.objects.exclude(organization=studio)
    assert summed(sum(row.cost_usd or 0 for row in neighbours)) == Decimal("0.041976")
    assert {row.metadata["author"] for row in ResourceUsage.objects.filter(kind="adjustment")} == {"ann"}
    assert verify_books() == []
    now = costtrack.what_if(**WEEK, organization="studio")
    assert (now.total.booked_usd, now.total.difference_usd) == (Decimal("0.9211"), 0)


def test_what_the_week_suggests() -> None:
    studio = make_organization("studio")
    make_organization("neighbour")
    make_rate("prose-large", "maker", per_million=("5", "25"), cache_read_usd_per_million=Decimal("0.5"))
    make_rate("prose-small", "maker", per_million=("0.5", "2"))
    make_rate("prose-large", "maker", per_million=("2.5", "12.5"), service_tier="batch")
    for number in range(40):
        call("prose-large", (4_096, 50), MONDAY + timedelta(minutes=number))
    for _ in range(2):
        call("prose-large", (4_096, 1_000), MONDAY, error=TimeoutError("too late"))
        call("prose-large", (4_096, 1_000), MONDAY, error=TimeoutError("too late"), organization="neighbour")
    found = recommendations(studio, **WEEK)
    assert [(one.kind.value, one.calls, one.saving_usd) for one in found] == [
        # 40 x (4,096 x 5 + 50 x 25) = 40 x 21,730 = 869,200; on the small one 40 x (2,048 + 100) = 85,920 per million
        ("cheaper_model", 40, Decimal("0.78328")),
        # in batches half of all 42: (869,200 + 2 x (20,480 + 25,000)) / 2 = 960,160 / 2
        ("batch", 42, Decimal("0.48008")),
        # 8 slots of 5 minutes; 2,048 tokens are the same: 32 calls read them for 4.5 less; writing costs no more
        ("prompt_caching", 40, Decimal("0.294912")),
        # 2 x 45,480
        ("failures", 2, Decimal("0.09096")),
    ]
    assert sum(savings_by_kind(found).values()) > Decimal("0.960160")  # more than was spent: no total of them all

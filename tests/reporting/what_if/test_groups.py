"""Calls are summed up before they are priced: the sum is that of each call priced by itself, whatever the rates are."""

from __future__ import annotations

import random
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

import costtrack
from costtrack.domain.events import UsageEvent
from costtrack.metering.ledger import record_events
from costtrack.models import RateTier
from costtrack.pricing.price import price_event
from costtrack.pricing.ratebook import current_ratebook, forget_rates
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db
EDGES = (0, 1, 999, 1000, 1001, 4999, 5000, 5001, 20_000)


def intricate_rates() -> None:
    """Of target-model: two tiers, another price from noon on, a cheaper night, batches, and none for audio at first."""
    later = {"cache_read_usd_per_million": Decimal("0.3"), "reasoning_usd_per_million": Decimal(20)}
    first = make_rate("target-model", per_million=("3", "15"), request_usd=Decimal("0.001"))
    second = make_rate("target-model", per_million=("2", "11"), effective_from=NOON, **later)
    for rate, above, price in ((first, 1000, "6"), (second, 1000, "4"), (second, 5000, "8")):
        RateTier.objects.create(rate=rate, above_input_tokens=above, input_usd_per_million=Decimal(price))
    make_rate("target-model", per_million=("0.7", "5"), window_start=time(22), window_end=time(6, 30))
    batch = make_rate("target-model", per_million=("1", "5"), service_tier="batch", effective_from=NOON)
    type(batch).objects.filter(pk=batch.pk).update(output_usd_per_million=None)
    forget_rates()


def any_call(dice: random.Random) -> UsageEvent:
    tokens, output = dice.choice(EDGES), dice.choice((0, 1, 700))
    parts = {"cache_read_tokens": dice.randint(0, tokens), "reasoning_tokens": dice.choice((0, output))}
    edge = dice.choice((timedelta(0), timedelta(hours=10), timedelta(hours=18.5), timedelta(hours=-3)))
    return make_event(
        tokens,
        output,
        occurred_at=NOON + edge + timedelta(microseconds=dice.choice((-1, 0, 1))),
        service_tier=dice.choice(("standard", "batch")),
        outcome=dice.choice(("success", "error")),
        usage_missing=dice.random() < 0.1,
        **parts,
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_sum_of_groups_is_the_sum_of_calls(seed: int) -> None:
    owner = make_organization()
    make_rate()
    intricate_rates()
    dice = random.Random(seed)
    events = [any_call(dice) for _ in range(150)]
    record_events(events)
    found = costtrack.what_if(start=date(2026, 11, 19), end=date(2026, 11, 23), model="target-model", provider="openai")
    priced = [_priced(event, owner.pk) for event in events]
    known = [cost for cost in priced if cost is not None]
    assert found.read_from == "ledger"
    assert found.total.not_priced_calls == len(priced) - len(known) > 0
    assert found.total.what_if_usd == sum(known)
    assert found.total.calls == 150


def _priced(event: UsageEvent, organization_id: int) -> Decimal | None:
    moved: dict[str, Any] = {**vars(event), "model": "target-model"}
    return price_event(UsageEvent(**moved), organization_id=organization_id, book=current_ratebook()).cost_usd

"""Whatever is recorded, repeated, corrected, folded or rebuilt, in any order: the summaries equal the ledger.

The model is a plain Python list of what the books should say, in Decimal.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from costtrack.aggregation import fold_pending, rebuild_summaries, verify_books
from costtrack.exceptions import InvalidCorrection
from costtrack.metering.corrections import adjust_usage, void_usage
from costtrack.metering.ledger import RecordStatus, record_events
from costtrack.metering.reprice import apply_repricing, repricings
from costtrack.models import DailyCostSummary, Rate, ResourceUsage
from costtrack.models.summaries import GRAINS
from tests.factories import NOON, make_event, make_organization, make_rate, summed

PRICE_IN, PRICE_OUT = 3, 15

counts = st.integers(0, 5000)
attributions = st.fixed_dictionaries(
    {
        "organization": st.sampled_from(["acme", "kolkata"]),
        "project": st.sampled_from(["", "p", "q"]),
        "agent": st.sampled_from(["", "a", "b"]),
        "endpoint": st.sampled_from(["", "e"]),
        "sprint": st.sampled_from(["", "s"]),
    }
)


class Books(RuleBasedStateMachine):
    """The rules that people and programs can follow; the invariant is the product's promise."""

    usages = Bundle("usages")

    @initialize()
    def open_books(self) -> None:
        """Each run works in a transaction that is rolled back."""
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        make_rate()
        make_organization()
        make_organization("kolkata", timezone="Asia/Kolkata")
        self.keys = 0
        self.cost: dict[int, Decimal | None] = {}
        self.calls = 0
        self.late_price: Decimal | None = None

    def teardown(self) -> None:
        if hasattr(self, "transaction"):
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    @rule(
        target=usages,
        tokens=st.tuples(counts, counts),
        attribution=attributions,
        is_priced=st.booleans(),
        has_failed=st.booleans(),
        days_late=st.integers(0, 3),
    )
    def record(
        self, tokens: tuple[int, int], attribution: dict[str, str], is_priced: bool, has_failed: bool, days_late: int
    ) -> tuple[int, Any]:
        """A new usage, late ones included."""
        self.keys += 1
        event = make_event(
            *tokens,
            key=f"k{self.keys}",
            attribution=attribution,
            model="test-model" if is_priced else "unknown-model",
            outcome="error" if has_failed else "success",
            occurred_at=NOON - timedelta(days=days_late, hours=-7),
        )
        [result] = record_events([event])
        assert result.status == RecordStatus.RECORDED
        assert result.usage_id
        expected: Decimal | None = Decimal(tokens[0] * PRICE_IN + tokens[1] * PRICE_OUT) / 1_000_000
        if not is_priced:
            late = self.late_price
            expected = None if late is None else Decimal(sum(tokens)) * late / 1_000_000
            if has_failed and not sum(tokens):
                expected = Decimal(0)
        expected_cost = expected
        assert result.cost_usd == expected_cost
        self.cost[result.usage_id] = expected_cost
        self.calls += 1
        return result.usage_id, event

    @rule(usage=usages)
    def repeat(self, usage: tuple[int, Any]) -> None:
        """A retry is charged nothing."""
        [result] = record_events([usage[1]])
        assert (result.status, result.usage_id) == (RecordStatus.DUPLICATE, usage[0])

    @rule(usage=usages, cents=st.integers(-3, 5), tokens=st.integers(-500, 500))
    def adjust(self, usage: tuple[int, Any], cents: int, tokens: int) -> None:
        """More, or less as long as something is left."""
        before = self.cost.get(usage[0], Decimal("NaN"))
        try:
            row = adjust_usage(usage[0], reason="rule", cost_usd=Decimal(cents).scaleb(-2), input_tokens=tokens)
        except InvalidCorrection:
            return
        assert row.cost_usd is not None
        self.cost[usage[0]] = (before or Decimal(0)) + row.cost_usd
        assert self.cost[usage[0]] >= 0

    @rule(usage=usages, per_million=st.sampled_from(["0", "2", "7.5"]))
    def price_late(self, usage: tuple[int, Any], per_million: str) -> None:
        """A rate arrives for the unknown model; the day's unpriced usage is priced by it, and it stands for good."""
        if self.late_price is None:
            self.late_price = Decimal(per_million)
            make_rate("unknown-model", per_million=(per_million, per_million))
        row = ResourceUsage.objects.get(id=usage[0])
        for repricing in repricings(start=row.day, end=row.day + timedelta(days=1), unpriced_only=True):
            assert repricing.booked_usd == self.cost[repricing.usage_id]
            apply_repricing(repricing, reason="rule")
            self.cost[repricing.usage_id] = repricing.cost_usd
            assert Rate.objects.get(id=repricing.rate_id).is_used

    @rule(usage=usages)
    def conflict(self, usage: tuple[int, Any]) -> None:
        """The same key for other usage changes nothing."""
        other = make_event(5001, key=usage[1].idempotency_key, attribution=asdict(usage[1].attribution))
        [result] = record_events([other])
        assert (result.status, result.usage_id) == (RecordStatus.CONFLICT, usage[0])

    @rule(sizes=st.lists(st.tuples(counts, counts), min_size=2, max_size=5), attribution=attributions)
    def record_batch(self, sizes: list[tuple[int, int]], attribution: dict[str, str]) -> None:
        """Several usages in one transaction, one of them twice."""
        self.keys += 1
        events = [make_event(*size, key=f"b{self.keys}-{n}", attribution=attribution) for n, size in enumerate(sizes)]
        results = record_events([*events, events[0]])
        assert [str(result.status) for result in results] == ["recorded"] * len(events) + ["duplicate"]
        for size, result in zip(sizes, results, strict=False):
            assert result.usage_id
            self.cost[result.usage_id] = Decimal(size[0] * PRICE_IN + size[1] * PRICE_OUT) / 1_000_000
        self.calls += len(events)

    @rule(usage=usages)
    def void(self, usage: tuple[int, Any]) -> None:
        """All of it taken back, once."""
        if usage[0] not in self.cost:
            with pytest.raises(InvalidCorrection):
                void_usage(usage[0], reason="again")
            return
        void_usage(usage[0], reason="rule")
        del self.cost[usage[0]]
        self.calls -= 1

    @rule()
    def fold(self) -> None:
        """The periodic job."""
        fold_pending()

    @rule(first=st.integers(0, 4), days=st.integers(1, 4))
    def rebuild(self, first: int, days: int) -> None:
        """Any stretch of days."""
        start = date(2026, 11, 17) + timedelta(days=first)
        rebuild_summaries(start=start, end=start + timedelta(days=days))

    @invariant()
    def the_books_agree(self) -> None:
        """Ledger = each grain + pending = the model."""
        if not hasattr(self, "transaction"):
            return
        assert verify_books() == []
        cost = sum((cost for cost in self.cost.values() if cost is not None), Decimal(0))
        unpriced = sum(cost is None for cost in self.cost.values())
        for grain in GRAINS:
            sums = DailyCostSummary.objects.at_grain(grain).aggregate(
                cost=Sum("cost_usd"), calls=Sum("calls"), unpriced=Sum("unpriced_calls")
            )
            assert summed(sums["cost"]) == cost
            assert (sums["calls"] or 0, sums["unpriced"] or 0) == (self.calls, unpriced)
        ledger = ResourceUsage.objects.aggregate(cost=Sum("cost_usd"), calls=Sum("calls"))
        assert summed(ledger["cost"]) == cost
        assert (ledger["calls"] or 0) == self.calls


@pytest.mark.django_db
def test_summaries_equal_the_ledger_after_every_step() -> None:
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

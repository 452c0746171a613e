"""Whatever is recorded, repeated, corrected, folded or rebuilt, in any order: the summaries equal the ledger.

The model is a plain Python list of what the books should say, in Decimal.
"""

from __future__ import annotations

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
from costtrack.metering.corrections import adjust_usage, price_late, void_usage
from costtrack.metering.ledger import RecordStatus, record_events
from costtrack.models import DailyCostSummary, ResourceUsage
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
        expected = Decimal(tokens[0] * PRICE_IN + tokens[1] * PRICE_OUT) / 1_000_000
        is_known = is_priced or (has_failed and not sum(tokens))
        expected_cost = expected if is_known else None
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

    @rule(usage=usages)
    def price(self, usage: tuple[int, Any]) -> None:
        """A late price, for what has none."""
        try:
            rate_id = make_rate_once()
            row = price_late(usage[0], cost_usd=Decimal("0.25"), rate_id=rate_id, reason="rule")
        except InvalidCorrection:
            return
        assert self.cost[usage[0]] is None
        self.cost[usage[0]] = row.cost_usd

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
        """Ledger = agent + pending = project + pending = the model."""
        if not hasattr(self, "transaction"):
            return
        assert verify_books() == []
        cost = sum((cost for cost in self.cost.values() if cost is not None), Decimal(0))
        unpriced = sum(cost is None for cost in self.cost.values())
        for grain in ("agent", "project"):
            sums = DailyCostSummary.objects.at_grain(grain).aggregate(
                cost=Sum("cost_usd"), calls=Sum("calls"), unpriced=Sum("unpriced_calls")
            )
            assert summed(sums["cost"]) == cost
            assert (sums["calls"] or 0, sums["unpriced"] or 0) == (self.calls, unpriced)
        ledger = ResourceUsage.objects.aggregate(cost=Sum("cost_usd"), calls=Sum("calls"))
        assert summed(ledger["cost"]) == cost
        assert (ledger["calls"] or 0) == self.calls


def make_rate_once() -> int:
    """The one rate of the run."""
    from costtrack.models import Rate

    return Rate.objects.values_list("id", flat=True)[0]


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

"""Reserved, settled, released, swept, corrected, changed, in any order: counters say what ledger and holds say.

The model is plain Python: what is spent by thread, and what is held by whom.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import hypothesis.strategies as st
import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from costtrack.budgets.changes import change_budget
from costtrack.budgets.counters import ledger_sum
from costtrack.budgets.holds import held_by_counter, release, sweep_expired
from costtrack.domain.budget_periods import Period
from costtrack.exceptions import BudgetExceeded, InvalidCorrection
from costtrack.metering.corrections import adjust_usage, void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import Budget, BudgetCounter, Organization
from tests.budgets.asked import hold, make_budget
from tests.factories import make_event, make_organization, make_rate, summed

ZERO = Decimal(0)
threads = st.sampled_from(["", "t1", "t2"])
cents = st.integers(0, 30).map(lambda number: Decimal(number).scaleb(-2))


class Budgets(RuleBasedStateMachine):
    """What callers, finance people and jobs can do; a call of n input tokens costs n x 3 USD per million."""

    @initialize()
    def begin(self) -> None:
        """Each run works in a transaction that is rolled back."""
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        make_rate()
        self.acme: Organization = make_organization()
        self.limits = {"all": Decimal("0.5"), "thread": Decimal("0.2")}
        self.budgets: dict[str, Budget] = {
            "all": make_budget(self.acme, "0.5"),
            "thread": make_budget(self.acme, "0.2", per="thread", period="total"),
        }
        make_budget(self.acme, "0.1", enforcement="soft", model="test-model", period="month")
        make_budget(self.acme, "1", enforcement="shadow", metric="tokens", period="hour")
        self.usages: dict[int, tuple[str, Decimal]] = {}
        self.holds: dict[UUID, tuple[str, Decimal]] = {}

    def teardown(self) -> None:
        if hasattr(self, "transaction"):
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    def _taken(self, thread: str | None = None) -> Decimal:
        everything = [*self.usages.values(), *self.holds.values()]
        return sum((cost for of, cost in everything if thread is None or of == thread), ZERO)

    @rule(thread=threads, cost=cents)
    def reserve(self, thread: str, cost: Decimal) -> None:
        """Granted exactly when it fits into both budgets."""
        fits = self._taken() + cost <= self.limits["all"] and self.limits["all"] > 0
        if thread:
            fits = fits and self._taken(thread) + cost <= self.limits["thread"]
        hold_id = uuid4()
        try:
            granted = hold(str(cost), thread_id=thread, model="test-model", hold_id=hold_id, ttl=timedelta(days=999))
        except BudgetExceeded:
            assert not fits
            return
        assert fits
        assert granted is not None
        self.holds[hold_id] = (thread, cost)

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), tokens=st.integers(0, 100_000), is_other_model=st.booleans())
    def settle(self, data: st.DataObject, tokens: int, is_other_model: bool) -> None:
        """Whatever the call really used, more than it held as well, and maybe answered by another model."""
        hold_id = data.draw(st.sampled_from(list(self.holds)))
        thread, _ = self.holds.pop(hold_id)
        cost = Decimal(tokens * 3) / 1_000_000
        other: dict[str, Any] = {"model": "other-model", "reported_cost_usd": cost} if is_other_model else {}
        self._record(thread, tokens, hold_id=hold_id.hex, **other)

    @rule(thread=threads, tokens=st.integers(0, 100_000))
    def record(self, thread: str, tokens: int) -> None:
        """Usage that nobody reserved for."""
        self._record(thread, tokens)

    def _record(self, thread: str, tokens: int, **fields: Any) -> None:
        event = make_event(tokens, 0, attribution={"thread_id": thread}, **fields)
        [result] = record_events([event])
        assert result.usage_id is not None
        self.usages[result.usage_id] = (thread, Decimal(tokens * 3) / 1_000_000)

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        """The call was not made."""
        hold_id = data.draw(st.sampled_from(list(self.holds)))
        assert release(hold_id, using="default")
        del self.holds[hold_id]

    @rule(thread=threads, cost=cents)
    def leak(self, thread: str, cost: Decimal) -> None:
        """A caller dies; the sweep gives back what he held."""
        try:
            hold(str(cost), thread_id=thread, model="test-model", ttl=timedelta(days=-999))
        except BudgetExceeded:
            return
        assert sweep_expired(using="default") == 1

    @precondition(lambda self: self.usages)
    @rule(data=st.data(), more=st.integers(-10, 10))
    def correct(self, data: st.DataObject, more: int) -> None:
        """An adjustment in cents, or, where that is 0, a void."""
        usage_id = data.draw(st.sampled_from(list(self.usages)))
        thread, cost = self.usages[usage_id]
        if not more:
            void_usage(usage_id, reason="rule")
            del self.usages[usage_id]
            return
        try:
            adjust_usage(usage_id, reason="rule", cost_usd=Decimal(more).scaleb(-2))
        except InvalidCorrection:
            return
        self.usages[usage_id] = (thread, cost + Decimal(more).scaleb(-2))

    @rule(which=st.sampled_from(["all", "thread"]), limit=st.integers(0, 100))
    def change_limit(self, which: str, limit: int) -> None:
        """Also to 0, and below what is spent."""
        self.limits[which] = Decimal(limit).scaleb(-2)
        self.budgets[which] = change_budget(self.budgets[which], limit=self.limits[which])
        if which == "thread" and not limit:
            self.limits[which] = Decimal(-1)  # 0 refuses what is free, too

    @rule()
    def forget(self) -> None:
        """Counters that hold nothing are thrown away; they come back when they are needed."""
        BudgetCounter.objects.filter(held=0).delete()

    @invariant()
    def counters_agree(self) -> None:
        """spent = the ledger's rows, held = the live holds; and both = the model."""
        if not hasattr(self, "transaction"):
            return
        held = held_by_counter(using="default")
        for counter in BudgetCounter.objects.select_related("budget__organization"):
            period = Period(counter.period_start, counter.period_end)
            assert summed(counter.spent) == summed(
                ledger_sum(counter.budget.rule(), counter.subject, period, using="default")
            )
            assert summed(counter.held) == summed(held.get(counter.id, ZERO))
            if counter.budget == self.budgets["all"]:
                assert summed(counter.spent + counter.held) == self._taken()
            if counter.budget == self.budgets["thread"]:
                assert summed(counter.spent + counter.held) == self._taken(counter.subject)


@pytest.mark.django_db
def test_counters_equal_ledger_and_holds_after_every_step() -> None:
    run_state_machine_as_test(
        Budgets,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

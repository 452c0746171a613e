"""What is cleared away, what stays, and that a counter which comes back says the same as before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from costtrack.budgets import pruning
from costtrack.budgets.holds import release, sweep_expired
from costtrack.budgets.pruning import Pruned, prune_counters
from costtrack.budgets.rebuild import counter_differences
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetCounter, Hold, Organization
from tests.budgets.asked import figures, hold, make_budget
from tests.factories import NOON, make_event

COST = Decimal("0.0045")  # (1000 x 3 + 100 x 15) / 1,000,000
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
"""The end of the day of NOON."""
SECOND = timedelta(seconds=1)


def prune(now: datetime) -> tuple[int, int]:
    pruned = prune_counters("default", now)
    return pruned.counters, pruned.holds


def test_a_threads_counter_goes_two_days_after_its_period(acme: Organization) -> None:
    make_budget(acme, per="thread")
    make_budget(acme, period="month", per="thread")
    record_events([make_event(attribution={"thread_id": "t1"})])
    assert prune(MIDNIGHT + timedelta(days=2)) == (0, 0)
    assert prune(MIDNIGHT + timedelta(days=2) + SECOND) == (1, 0)
    assert BudgetCounter.objects.get().budget.period == "month"


def test_what_a_whole_budgets_periods_came_to_is_there_for_400_days(acme: Organization) -> None:
    day = make_budget(acme)
    record_events([make_event()])
    assert prune(MIDNIGHT + timedelta(days=400)) == (0, 0)
    assert figures(day)[0] == COST
    assert prune(MIDNIGHT + timedelta(days=400) + SECOND) == (1, 0)
    assert not BudgetCounter.objects.exists()


def test_a_closed_counter_stays_while_anything_is_held_or_leased_of_it(acme: Organization) -> None:
    budget = make_budget(acme, per="thread")
    granted = hold("0.1", thread_id="t1")
    late = MIDNIGHT + timedelta(days=3)
    assert prune(late) == (0, 0)
    assert granted is not None
    assert granted.hold_id is not None
    release(granted.hold_id, using="default")
    BudgetCounter.objects.filter(budget=budget).update(leased=Decimal("0.5"))
    assert prune(late) == (0, 0)
    BudgetCounter.objects.filter(budget=budget).update(leased=0)
    assert prune(late) == (1, 0)


def test_the_counter_of_a_dead_thread_goes_and_that_of_the_whole_stays(acme: Organization) -> None:
    make_budget(acme, period="total", per="thread")
    whole = make_budget(acme, period="total")
    record_events([make_event(attribution={"thread_id": "t1"}), make_event(attribution={"thread_id": "t2"})])
    BudgetCounter.objects.filter(subject="t2").update(updated_at=NOON + timedelta(days=20))
    BudgetCounter.objects.exclude(subject="t2").update(updated_at=NOON)
    assert prune(NOON + timedelta(days=30)) == (0, 0)
    assert prune(NOON + timedelta(days=30) + SECOND) == (1, 0)
    assert sorted(BudgetCounter.objects.values_list("budget_id", "subject")) == sorted(
        [(whole.pk, ""), (whole.pk - 1, "t2")]
    )


def test_a_thread_that_returns_is_held_to_what_it_has_spent_before(acme: Organization) -> None:
    budget = make_budget(acme, "0.1", period="total", per="thread")
    record_events([make_event(attribution={"thread_id": "t1"})] * 2)
    before = figures(budget, "t1")
    assert before == (COST, Decimal(0))
    BudgetCounter.objects.update(updated_at=NOON - timedelta(days=31))
    assert prune(NOON) == (1, 0)
    hold("0.05", thread_id="t1")
    assert figures(budget, "t1") == (COST, Decimal("0.05"))
    BudgetCounter.objects.update(updated_at=NOON - timedelta(days=31), held=0)
    assert prune(NOON) == (1, 0)
    record_events([make_event(attribution={"thread_id": "t1"})])
    assert figures(budget, "t1")[0] == Decimal("0.009")  # 2 x 0.0045


def test_holds_go_thirty_days_after_their_end_and_live_ones_never(acme: Organization) -> None:
    make_budget(acme, "100")
    record_events([make_event(hold_id=hold("1").hold_id.hex)])  # type: ignore[union-attr]
    release(hold("2").hold_id, using="default")  # type: ignore[union-attr, arg-type]
    hold("3", ttl=-SECOND)
    sweep_expired(using="default")
    hold("4")
    Hold.objects.exclude(state="held").update(ended_at=NOON)
    Hold.objects.update(admitted_at=NOON - SECOND)
    assert sorted(Hold.objects.values_list("state", flat=True)) == ["expired", "held", "released", "settled"]
    assert prune(NOON + timedelta(days=30)) == (0, 0)
    assert prune(NOON + timedelta(days=30) + SECOND) == (0, 3)
    assert Hold.objects.get().state == "held"


def test_a_hold_that_was_long_before_it_ended_stays_for_thirty_days_more(acme: Organization) -> None:
    make_budget(acme)
    release(hold("0.1").hold_id, using="default")  # type: ignore[union-attr, arg-type]
    Hold.objects.update(admitted_at=NOON - timedelta(days=40), ended_at=NOON)
    assert prune(NOON + timedelta(days=29))[1] == 0
    assert prune(NOON + timedelta(days=31))[1] == 1


def test_it_works_in_batches_until_nothing_is_left(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    make_budget(acme, per="thread")
    record_events([make_event(attribution={"thread_id": f"t{number}"}) for number in range(5)])
    assert prune(MIDNIGHT + timedelta(days=3)) == (5, 0)


def test_what_a_budget_kept_taken_after_the_expiry_is_let_go_when_its_period_is_over(acme: Organization) -> None:
    day = make_budget(acme, on_expiry="charge")
    month = make_budget(acme, period="month", on_expiry="charge")
    hold("0.3", ttl=-SECOND)
    sweep_expired(using="default")
    nothing = Pruned(charges_ended=0, counters=0, holds=0)
    assert prune_counters("default", MIDNIGHT + timedelta(days=2)) == nothing
    assert prune_counters("default", MIDNIGHT + timedelta(days=3)) == nothing
    assert figures(day) == (Decimal(0), Decimal(0))
    assert (figures(month), Hold.objects.get().state) == ((Decimal(0), Decimal("0.3")), "charged")
    assert counter_differences(using="default", now=NOON) == []
    december = datetime(2026, 12, 4, tzinfo=UTC)
    assert prune_counters("default", december) == Pruned(charges_ended=1, counters=0, holds=0)
    assert (Hold.objects.get().state, Hold.objects.get().parts) == ("expired", [])
    assert figures(month) == (Decimal(0), Decimal(0))

"""Reservations: all or nothing, never past a hard limit, refused in words and figures."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from costtrack.budgets.changes import change_budget
from costtrack.exceptions import BudgetExceeded, HoldEnded, UnknownWorstCase
from costtrack.metering.ledger import record_events
from costtrack.models import BudgetCounter, Hold, Organization
from tests.budgets.asked import figures, hold, make_budget
from tests.factories import NOON, make_event


def test_a_reservation_is_held_in_the_counter(acme: Organization) -> None:
    budget = make_budget(acme)
    granted = hold("0.25")
    assert granted is not None
    assert figures(budget) == (Decimal(0), Decimal("0.25"))
    stored = Hold.objects.get()
    assert (stored.id, stored.state, stored.about) == (granted.hold_id, "held", {"model": "test-model"})


def test_the_last_cent_is_granted_and_not_one_more(acme: Organization) -> None:
    budget = make_budget(acme, "1")
    for _ in range(10):  # 10 x 0.1 = 1
        hold("0.1")
    with pytest.raises(BudgetExceeded):
        hold("0.000000000001")
    assert figures(budget) == (Decimal(0), Decimal(1))


def test_a_refusal_says_all_that_one_needs_to_know(acme: Organization) -> None:
    budget = make_budget(acme, "0.3", name="daily", per="thread")
    record_events([make_event(attribution={"thread_id": "t1"})])  # 0.0045
    hold("0.2", thread_id="t1")
    with pytest.raises(BudgetExceeded) as refused:
        hold("0.1", thread_id="t1")
    error = refused.value
    assert (error.budget_id, error.budget, error.organization, error.subject) == (budget.id, "daily", "acme", "t1")
    assert error.metric == "cost_usd"
    assert error.figures == {
        "limit": Decimal("0.3"),
        "spent": Decimal("0.0045"),
        "held": Decimal("0.2"),
        "needed": Decimal("0.1"),
    }
    assert [str(value) for value in error.figures.values()] == ["0.3", "0.0045", "0.2", "0.1"]
    assert error.resets_at == datetime(2026, 11, 21, tzinfo=UTC)
    assert "needs up to 0.1 cost_usd, of a limit of 0.3, 0.0045 are spent and 0.2 held" in str(error)


def test_figures_of_a_refusal_are_printed_as_people_write_them(acme: Organization) -> None:
    make_budget(acme, "100", metric="tokens")
    with pytest.raises(BudgetExceeded) as refused:
        hold("0", tokens=1000)
    assert [str(value) for value in refused.value.figures.values()] == ["100", "0", "0", "1000"]


def test_a_refusal_leaves_nothing_held_on_the_other_budgets(acme: Organization) -> None:
    narrow, wide = make_budget(acme, "5", model="m"), make_budget(acme, "0.5", name="all of it")
    with pytest.raises(BudgetExceeded) as refused:
        hold("0.6", model="m")
    assert refused.value.budget == "all of it"
    assert figures(narrow) == figures(wide) == (Decimal(0), Decimal(0))
    assert not Hold.objects.exists()


def test_the_same_hold_again_takes_nothing_twice(acme: Organization) -> None:
    budget, again = make_budget(acme), uuid4()
    first, second = hold("0.7", hold_id=again), hold("0.7", hold_id=again, at=NOON + timedelta(hours=20))
    assert first is not None
    assert second is not None
    assert (second.hold_id, second.expires_at, second.admitted_at) == (again, first.expires_at, NOON)
    assert figures(budget) == (Decimal(0), Decimal("0.7"))


def test_a_hold_that_has_expired_and_was_not_swept_holds_again(acme: Organization) -> None:
    budget, again = make_budget(acme), uuid4()
    hold("0.7", hold_id=again, ttl=timedelta(days=-400))
    assert hold("0.7", hold_id=again, ttl=timedelta(days=400)) is not None
    with pytest.raises(BudgetExceeded):  # it sweeps before it refuses
        hold("0.7")
    assert figures(budget) == (Decimal(0), Decimal("0.7"))


def test_a_hold_that_has_ended_can_not_be_taken_again(acme: Organization) -> None:
    make_budget(acme)
    granted = hold()
    assert granted is not None
    assert granted.hold_id is not None
    record_events([make_event(hold_id=granted.hold_id.hex)])
    with pytest.raises(HoldEnded, match="settled"):
        hold(hold_id=granted.hold_id)


@pytest.mark.parametrize("cost", ["0.1", "0"])
def test_a_limit_of_0_refuses_everything_even_what_is_free(acme: Organization, cost: str) -> None:
    make_budget(acme, "0")
    with pytest.raises(BudgetExceeded):
        hold(cost)


def test_an_unlimited_budget_refuses_nothing_and_counts(acme: Organization) -> None:
    budget = make_budget(acme, None)
    hold("1000000")
    assert figures(budget) == (Decimal(0), Decimal(1000000))


def test_soft_budgets_are_not_asked(acme: Organization) -> None:
    make_budget(acme, "0", enforcement="soft")
    assert hold("5") is None
    assert not BudgetCounter.objects.exists()


def test_a_shadow_budget_logs_what_hard_would_have_refused(
    acme: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    budget = make_budget(acme, "0.5", enforcement="shadow", name="rehearsal")
    with caplog.at_level(logging.WARNING, "costtrack"):
        hold("0.4")
        assert not caplog.records
        hold("0.2")
    assert "rehearsal" in caplog.text
    assert "would have refused a call of 0.2 cost_usd" in caplog.text
    assert BudgetCounter.objects.get().shadow_refusals == 1
    assert figures(budget) == (Decimal(0), Decimal("0.6"))


def test_each_thread_has_a_limit_of_its_own(acme: Organization) -> None:
    budget = make_budget(acme, "100000", metric="tokens", per="thread", period="total")
    hold(tokens=100_000, thread_id="t1")
    hold(tokens=100_000, thread_id="t2")
    with pytest.raises(BudgetExceeded) as refused:
        hold(tokens=1, thread_id="t1")
    assert (refused.value.subject, refused.value.resets_at) == ("t1", None)
    assert hold(tokens=1) is None  # no thread, no budget
    assert figures(budget, "t2") == (Decimal(0), Decimal(100_000))


def test_the_calls_of_a_minute_are_a_rate_limit(acme: Organization) -> None:
    make_budget(acme, "2", metric="calls", period="minute")
    hold(at=NOON)
    hold(at=NOON + timedelta(seconds=59))
    with pytest.raises(BudgetExceeded) as refused:
        hold(at=NOON + timedelta(seconds=30))
    assert refused.value.resets_at == NOON + timedelta(minutes=1)
    assert hold(at=NOON + timedelta(minutes=1)) is not None


def test_units_of_a_resource_are_held(acme: Organization) -> None:
    budget = make_budget(acme, "7200", metric="amount", resource_type="gpu_seconds")
    hold(None, amount="3600", resource_type="gpu_seconds")
    hold(None, amount="3600", resource_type="gpu_seconds")
    with pytest.raises(BudgetExceeded):
        hold(None, amount="1", resource_type="gpu_seconds")
    assert figures(budget) == (Decimal(0), Decimal(7200))


def test_a_call_without_a_known_price_is_refused_unless_the_budget_admits_it(acme: Organization) -> None:
    budget = make_budget(acme, "1", name="strict")
    with pytest.raises(UnknownWorstCase, match="strict"):
        hold(None)
    change_budget(budget, on_unpriced="admit")
    granted = hold(None)
    assert granted is not None
    assert granted.is_unpriced
    assert Hold.objects.get().is_unpriced
    assert figures(budget) == (Decimal(0), Decimal(0))


def test_an_llm_call_that_does_not_name_its_model_may_be_meant_by_a_budget_of_one(acme: Organization) -> None:
    budget = make_budget(acme, "1", model="gpt-4o", name="of one model")
    with pytest.raises(UnknownWorstCase, match="of one model"):
        hold("0.1", resource_type="llm_tokens")
    assert hold("0.1", resource_type="llm_tokens", model="gpt-4") is None
    assert hold("0.1", resource_type="api_call") is None
    change_budget(budget, on_unpriced="admit")
    assert hold("0.1", resource_type="llm_tokens") is None


def test_an_unlimited_budget_does_not_ask_what_a_call_can_cost(acme: Organization) -> None:
    make_budget(acme, None)
    assert hold(None) is not None


def test_a_new_budget_counts_what_its_period_has_spent_already(acme: Organization) -> None:
    record_events([make_event(), make_event(occurred_at=NOON - timedelta(days=1))])
    budget = make_budget(acme, "0.01")  # 0.0045 of it is spent today
    with pytest.raises(BudgetExceeded):
        hold("0.0056")
    hold("0.0055")
    assert figures(budget) == (Decimal("0.0045"), Decimal("0.0055"))


def test_a_changed_limit_holds_at_the_next_reservation(acme: Organization) -> None:
    budget = make_budget(acme, "1")
    hold("0.5")
    change_budget(budget, limit=Decimal("0.4"))
    with pytest.raises(BudgetExceeded):
        hold("0.000001")
    change_budget(budget, limit=Decimal("0.6"))
    hold("0.1")


def test_a_budget_that_rests_refuses_nothing(acme: Organization) -> None:
    budget = make_budget(acme, "0")
    change_budget(budget, is_active=False)
    assert hold("5") is None
    change_budget(budget, is_active=True)
    with pytest.raises(BudgetExceeded):
        hold("5")


def test_what_is_about_to_be_refused_is_flushed_first(acme: Organization) -> None:
    make_budget(acme, "1")
    granted = hold("0.9")
    assert granted is not None
    assert granted.hold_id is not None
    spooled = make_event(hold_id=granted.hold_id.hex)  # it used 0.0045 of 0.9
    assert hold("0.9", flush=lambda: record_events([spooled]) and None) is not None


def test_an_expired_hold_is_no_reason_to_refuse(acme: Organization) -> None:
    budget = make_budget(acme, "1")
    hold("0.9", ttl=timedelta(seconds=-1))
    hold("0.8")
    assert figures(budget) == (Decimal(0), Decimal("0.8"))


def test_another_organization_has_budgets_of_its_own(acme: Organization) -> None:
    make_budget(acme, "0")
    Organization.objects.create(slug="globex")
    assert hold("5", organization="globex") is None
    assert hold("5", organization="nobody") is None

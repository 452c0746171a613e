"""The writer's side: counters say what the ledger says, and holds end with their usage, in one transaction."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from costtrack.budgets.changes import change_budget
from costtrack.budgets.counters import ledger_sum
from costtrack.domain.budget_periods import period_at
from costtrack.metering.corrections import adjust_usage, void_usage
from costtrack.metering.ledger import RecordStatus, record_events
from costtrack.models import Agent, BudgetCounter, Hold, Organization, Project
from tests.budgets.asked import figures, hold, make_budget
from tests.factories import NOON, make_event, summed

COST = Decimal("0.0045")  # (1000 x 3 + 100 x 15) / 1,000,000


def held(cost: str = "0.1", **facts: object) -> str:
    granted = hold(cost, **facts)  # type: ignore[arg-type]
    assert granted is not None
    assert granted.hold_id is not None
    return granted.hold_id.hex


@pytest.mark.parametrize("enforcement", ["hard", "soft", "shadow"])
def test_usage_counts_in_every_budget_that_is_about_it(acme: Organization, enforcement: str) -> None:
    project = Project.objects.create(organization=acme, slug="website")
    agent = Agent.objects.create(project=project, slug="writer")
    budgets = [
        make_budget(acme, enforcement=enforcement),
        make_budget(acme, enforcement=enforcement, project=project, agent=agent),
        make_budget(acme, enforcement=enforcement, model="test-model", provider="openai", period="total"),
        make_budget(acme, enforcement=enforcement, thread_id="t1", period="month"),
    ]
    other = make_budget(acme, enforcement=enforcement, thread_id="t2")
    record_events([make_event(attribution={"project": "website", "agent": "writer", "thread_id": "t1"})] * 2)
    assert [figures(budget) for budget in budgets] == [(COST, Decimal(0))] * 4
    assert not BudgetCounter.objects.filter(budget=other).exists()


def test_every_metric_counts_its_own(acme: Organization) -> None:
    tokens, calls, seconds = (
        make_budget(acme, metric="tokens"),
        make_budget(acme, metric="calls"),
        make_budget(acme, metric="amount", resource_type="gpu_seconds"),
    )
    record_events([make_event(1000, 100), make_event(1, 1)])
    gpu = make_event(0, 0, resource_type="gpu_seconds")
    record_events([gpu.__class__(**{**vars(gpu), "amount": Decimal("12.5")})])
    assert figures(tokens)[0] == Decimal(1102)  # 1100 + 2
    assert figures(calls)[0] == Decimal(3)
    assert figures(seconds)[0] == Decimal("12.5")


def test_a_hold_ends_with_its_usage(acme: Organization) -> None:
    budget = make_budget(acme)
    record_events([make_event(hold_id=held())])
    assert figures(budget) == (COST, Decimal(0))
    assert (Hold.objects.get().state, Hold.objects.get().is_overrun) == ("settled", False)


def test_more_than_was_held_is_a_fact_and_an_overrun(acme: Organization) -> None:
    budget = make_budget(acme, "0.001")
    record_events([make_event(hold_id=held("0.001"))])
    assert figures(budget) == (COST, Decimal(0))
    assert Hold.objects.get().is_overrun


def test_what_all_responses_of_a_call_used_is_compared_with_what_was_held(acme: Organization) -> None:
    budget = make_budget(acme)
    taken = held("0.006")  # one response of 0.0045 would fit, two do not
    record_events([make_event(hold_id=taken, ends_hold=False), make_event(hold_id=taken)])
    assert figures(budget) == (2 * COST, Decimal(0))
    assert Hold.objects.get().is_overrun


def test_a_hold_lasts_until_the_last_response_of_its_call(acme: Organization) -> None:
    budget = make_budget(acme)
    taken = held("0.1")
    record_events([make_event(hold_id=taken, ends_hold=False)])
    assert figures(budget) == (COST, Decimal("0.1"))
    record_events([make_event(hold_id=taken)])
    assert figures(budget) == (2 * COST, Decimal(0))


def test_the_same_usage_twice_settles_once(acme: Organization) -> None:
    budget = make_budget(acme)
    event = make_event(hold_id=held())
    held("0.2")
    record_events([event, event])
    record_events([event])
    assert figures(budget) == (COST, Decimal("0.2"))


def test_two_usages_of_one_hold_both_count_and_give_it_back_once(acme: Organization) -> None:
    budget = make_budget(acme)
    taken = held()
    held("0.2")
    record_events([make_event(hold_id=taken)])
    record_events([make_event(hold_id=taken)])
    assert figures(budget) == (2 * COST, Decimal("0.2"))


def test_a_duplicate_that_held_for_itself_gives_it_back(acme: Organization) -> None:
    budget = make_budget(acme)
    record_events([make_event(key="once")])
    results = record_events([make_event(key="once", hold_id=held())])
    assert results[0].status is RecordStatus.DUPLICATE
    assert figures(budget) == (COST, Decimal(0))


def test_a_call_past_midnight_is_settled_in_the_period_that_held_it(acme: Organization) -> None:
    budget = make_budget(acme)
    before_midnight = NOON + timedelta(hours=11, minutes=59)
    taken = held(at=before_midnight)
    record_events([make_event(hold_id=taken, occurred_at=before_midnight)])  # recorded whenever the call has ended
    assert figures(budget) == (COST, Decimal(0))
    assert BudgetCounter.objects.count() == 1


def test_unpriced_usage_counts_nothing_until_it_has_a_price(acme: Organization) -> None:
    budget = make_budget(acme)
    record_events([make_event(model="no-such-model")])
    assert figures(budget) == (Decimal(0), Decimal(0))


def test_corrections_move_the_counters_of_their_original(acme: Organization) -> None:
    budget, calls = make_budget(acme), make_budget(acme, metric="calls")
    first, second = record_events([make_event(), make_event()])
    assert first.usage_id is not None
    assert second.usage_id is not None
    adjust_usage(first.usage_id, reason="billed more", cost_usd="0.5")
    assert figures(budget)[0] == 2 * COST + Decimal("0.5")
    void_usage(second.usage_id, reason="was a test")
    assert figures(budget)[0] == COST + Decimal("0.5")
    assert figures(calls)[0] == Decimal(1)


def test_counters_always_say_what_the_ledger_says(acme: Organization) -> None:
    budget = make_budget(acme, period="month", per="thread")
    for number in range(6):
        record_events([make_event(attribution={"thread_id": f"t{number % 2}"}, input_tokens=1000 * number)])
    counter = BudgetCounter.objects.get(subject="t1")
    period = period_at(budget.rule().period, NOON, acme.zone_history())
    assert summed(counter.spent) == summed(ledger_sum(budget.rule(), "t1", period, using="default"))
    # (1 + 3 + 5) x 1000 x 3 and 3 x 100 x 15 per million
    assert summed(counter.spent) == Decimal("0.027") + Decimal("0.0045")


@pytest.mark.parametrize(
    ("scope", "per", "subject"),
    [
        ({"thread_id": "t1"}, "thread", "t1"),
        ({"customer": "c1"}, "customer", "c1"),
        ({"entity_type": "job"}, "entity", "job\x1f42"),
        ({"entity_type": "job", "entity_id": "42"}, "entity", "job\x1f42"),
    ],
)
def test_a_budget_may_be_for_each_of_what_its_scope_names(
    acme: Organization, scope: dict[str, str], per: str, subject: str
) -> None:
    """For each entity of one type, say."""
    budget = make_budget(acme, per=per, **scope)
    about = {"thread_id": "t1", "customer": "c1", "entity_type": "job", "entity_id": "42"}
    others = {"thread_id": "t2", "customer": "c2", "entity_type": "task", "entity_id": "42"}
    record_events([make_event(attribution=about), make_event(attribution=others)])
    taken = held(**about)
    record_events([make_event(attribution=about, hold_id=taken)])
    assert (BudgetCounter.objects.get().subject, figures(budget, subject)) == (subject, (2 * COST, Decimal(0)))


def test_a_counter_that_was_deleted_is_made_again_from_the_ledger(acme: Organization) -> None:
    budget = make_budget(acme, period="total")
    record_events([make_event()])
    BudgetCounter.objects.all().delete()
    record_events([make_event()])
    assert figures(budget) == (2 * COST, Decimal(0))


def test_late_usage_of_a_period_long_past_makes_no_counter(acme: Organization) -> None:
    make_budget(acme)
    record_events([make_event(occurred_at=NOON - timedelta(days=40))])
    assert not BudgetCounter.objects.exists()


def test_usage_that_settles_an_unknown_hold_is_recorded(acme: Organization) -> None:
    budget = make_budget(acme)
    results = record_events([make_event(hold_id=UUID(int=7).hex)])
    assert results[0].status is RecordStatus.RECORDED
    assert figures(budget)[0] == COST


def test_a_hold_of_a_budget_that_rests_is_still_given_back(acme: Organization) -> None:
    budget = make_budget(acme)
    taken = held()
    change_budget(budget, is_active=False)
    record_events([make_event(hold_id=taken)])
    assert BudgetCounter.objects.get().held == 0
    assert Hold.objects.get().state == "settled"


def test_a_budget_of_a_model_counts_all_its_versions_and_says_what_the_ledger_says(acme: Organization) -> None:
    record_events([make_event(model="test-model-2026-01-31")])
    budget = make_budget(acme, model="test-model")
    taken = held(model="test-model")
    record_events([make_event(model="test-model-2026-02-28", hold_id=taken), make_event(model="test-model-mini")])
    assert figures(budget) == (2 * COST, Decimal(0))
    period = period_at(budget.rule().period, NOON, acme.zone_history())
    assert summed(ledger_sum(budget.rule(), "", period, using="default")) == 2 * COST

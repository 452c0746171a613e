"""What a new budget is where nobody says: how it holds, of what people are told, and how many tokens a thread has."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from costtrack.alerts.evaluate import raise_budget_alerts
from costtrack.budgets.changes import change_budget, create_budget
from costtrack.exceptions import BudgetExceeded
from costtrack.metering.ledger import record_events
from costtrack.models import Budget, BudgetAlert, BudgetThreshold, Organization
from tests.budgets.asked import hold
from tests.factories import make_event

AT_80_AND_100 = [
    (Decimal(80), "percent", "actual", "warning", 0, ""),
    (Decimal(100), "percent", "actual", "critical", 0, ""),
]


def levels(budget: Budget) -> list[tuple[Any, ...]]:
    names = ("level", "unit", "basis", "severity", "cooldown_minutes", "message_template")
    return list(budget.thresholds.order_by("level").values_list(*names))


@pytest.mark.parametrize(
    ("period", "enforcement"),
    [("minute", "hard"), ("hour", "hard"), ("day", "hard"), ("week", "soft"), ("month", "soft"), ("total", "hard")],
)
def test_d7_weeks_and_months_are_soft_with_alerts_and_all_else_is_hard(
    acme: Organization, period: str, enforcement: str
) -> None:
    budget = create_budget(organization=acme, period=period, limit=Decimal(10))
    assert (Budget.objects.get().enforcement, budget.changes.get().after["enforcement"]) == (enforcement, enforcement)
    assert levels(budget) == (AT_80_AND_100 if enforcement == "soft" else [])


@pytest.mark.parametrize("period", ["day", "month"])
@pytest.mark.parametrize("enforcement", ["hard", "soft", "shadow"])
def test_d7_any_budget_can_be_either_and_who_says_so_says_of_what_to_tell_too(
    acme: Organization, period: str, enforcement: str
) -> None:
    budget = create_budget(organization=acme, period=period, enforcement=enforcement, limit=Decimal(10))
    assert (Budget.objects.get().enforcement, levels(budget)) == (enforcement, [])


def test_a_change_gives_nothing_by_default(acme: Organization) -> None:
    week = create_budget(organization=acme, period="week", limit=Decimal(10))
    week.thresholds.all().delete()
    change_budget(week, enforcement="hard")
    change_budget(week, limit=Decimal(20))
    assert (Budget.objects.get().enforcement, levels(week)) == ("hard", [])
    change_budget(week, enforcement="soft")
    assert levels(week) == []


def test_d7_a_month_that_is_nearly_spent_is_told_and_refuses_nothing(acme: Organization) -> None:
    create_budget(organization=acme, period="month", limit=Decimal("0.02"))
    record_events([make_event() for _ in range(4)])  # 4 x 0.0045 = 0.018: 90 %
    raise_budget_alerts()
    assert [(one.severity, one.figures["percent"]) for one in BudgetAlert.objects.all()] == [("warning", "90")]
    assert hold("1") is None
    record_events([make_event()])  # 0.0225
    raise_budget_alerts()
    raise_budget_alerts()
    assert sorted(one.severity for one in BudgetAlert.objects.all()) == ["critical", "warning"]


def test_an_unlimited_week_has_nothing_to_tell(acme: Organization) -> None:
    budget = create_budget(organization=acme, period="week", is_unlimited=True)
    assert (budget.enforcement, budget.limit, levels(budget)) == ("soft", None, [])


@pytest.mark.parametrize("given", [None, ""])
def test_an_enforcement_that_is_said_to_be_nothing_is_refused(acme: Organization, given: str | None) -> None:
    with pytest.raises(ValidationError) as refused:
        create_budget(organization=acme, period="week", limit=Decimal(10), enforcement=given)
    assert list(refused.value.message_dict) == ["enforcement"]
    assert not BudgetThreshold.objects.exists()


@pytest.mark.parametrize(("given", "problem"), [({}, "period"), ({"period": ""}, "period"), ({"period": []}, "period")])
def test_a_period_has_to_be_said(acme: Organization, given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as refused:
        create_budget(organization=acme, limit=Decimal(10), **given)
    assert list(refused.value.message_dict) == [problem]


def test_c5_a_thread_has_100_000_tokens_and_a_call_past_them_is_refused(acme: Organization) -> None:
    budget = create_budget(organization=acme, period="total", metric="tokens", per="thread")
    assert (budget.limit, budget.is_unlimited, budget.enforcement) == (Decimal(100_000), False, "hard")
    assert budget.changes.get().after["limit"] == "100000"
    assert hold(tokens=99_999, thread_id="t1") is not None
    with pytest.raises(BudgetExceeded) as refused:
        hold(tokens=2, thread_id="t1")
    assert (refused.value.limit, refused.value.held, refused.value.needed) == (100_000, 99_999, 2)
    assert hold(tokens=1, thread_id="t1") is not None
    assert hold(tokens=100_000, thread_id="t2") is not None


def test_c5_a_limit_that_is_said_wins(acme: Organization) -> None:
    of_threads: dict[str, Any] = {"organization": acme, "period": "total", "metric": "tokens", "per": "thread"}
    assert create_budget(**of_threads, limit=Decimal(5)).limit == 5
    assert create_budget(**of_threads, limit=Decimal(0)).limit == 0
    for unlimited in ({"is_unlimited": True}, {"is_unlimited": True, "limit": None}):
        budget = create_budget(**of_threads, **unlimited)
        assert (budget.limit, budget.is_unlimited) == (None, True)
    with pytest.raises(ValidationError) as refused:
        create_budget(**of_threads, limit=None)
    assert list(refused.value.message_dict) == ["limit"]


@pytest.mark.parametrize(
    "fields",
    [
        {"metric": "tokens"},
        {"metric": "tokens", "per": "agent"},
        {"metric": "tokens", "thread_id": "t1"},
        {"metric": "calls", "per": "thread"},
        {"per": "thread"},
    ],
)
def test_nothing_but_the_tokens_of_each_thread_has_a_limit_by_default(
    acme: Organization, fields: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError) as refused:
        create_budget(organization=acme, period="total", **fields)
    assert list(refused.value.message_dict) == ["limit"]
    assert not Budget.objects.exists()

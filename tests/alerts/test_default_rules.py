"""The four rules to begin with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.management import call_command

from costtrack.metering.ledger import record_events
from costtrack.models import Budget, BudgetAlert
from tests.factories import NOON, make_event, make_organization

pytestmark = pytest.mark.django_db(transaction=True)


def cost(usd: str, thread: str) -> None:
    record_events([make_event(reported_cost_usd=Decimal(usd), attribution={"thread_id": thread})])


def test_e5_the_four_default_rules_fire_at_their_figures(capsys: Any) -> None:
    make_organization()
    call_command("load_default_alerts")
    assert "high_conversation_cost" in capsys.readouterr().out
    with time_machine.travel(NOON, tick=False):
        cost("9.99", "t1")
        assert not BudgetAlert.objects.exists()
        cost("0.01", "t1")  # 10 of t1
        cost("9", "t2")
        assert [one.message for one in BudgetAlert.objects.all()] == [
            "Conversation t1: Cost of 10.00 USD has reached 10.00 USD."
        ]
        cost("81", "t3")  # 91 of t3, 100 of the day
        cost("400", "t3")  # 500 of the day and of the week
    raised = BudgetAlert.objects.exclude(budget__per="thread")
    assert sorted((one.budget.name, one.severity, one.figures["cost"]) for one in raised if one.budget) == [
        ("critical_daily_cost", "critical", "500"),
        ("high_daily_cost", "warning", "100"),
        ("high_weekly_cost", "warning", "500"),
    ]
    assert sorted(BudgetAlert.objects.filter(budget__per="thread").values_list("subject", flat=True)) == ["t1", "t3"]


def test_e5_the_four_default_rules_are_these() -> None:
    acme = make_organization()
    call_command("load_default_alerts")
    names = ("name", "thresholds__level", "period", "per", "thresholds__severity", "thresholds__cooldown_minutes")
    assert list(Budget.objects.order_by("id").values_list(*names)) == [
        ("high_daily_cost", Decimal(100), "day", "", "warning", 60),
        ("critical_daily_cost", Decimal(500), "day", "", "critical", 60),
        ("high_conversation_cost", Decimal(10), "total", "thread", "warning", 60),
        ("high_weekly_cost", Decimal(500), "week", "", "warning", 60),
    ]
    same = {"organization": acme.pk, "metric": "cost_usd", "is_unlimited": True, "limit": None, "enforcement": "soft"}
    assert list(Budget.objects.values(*same)) == [same] * 4
    level = {"thresholds__unit": "amount", "thresholds__basis": "actual", "thresholds__channels": None}
    assert list(Budget.objects.values(*level)) == [level] * 4


def test_again_changes_nothing_and_leaves_what_was_changed(capsys: Any) -> None:
    make_organization()
    make_organization("resting", is_active=False)
    call_command("load_default_alerts", "--json")
    made = '{"acme": ["high_daily_cost", "critical_daily_cost", "high_conversation_cost", "high_weekly_cost"]}\n'
    assert capsys.readouterr().out == made
    Budget.objects.get(name="high_daily_cost").thresholds.update(level=7)
    call_command("load_default_alerts", "--json", "--organization", "acme")
    assert capsys.readouterr().out == '{"acme": []}\n'
    assert Budget.objects.count() == 4
    assert Budget.objects.get(name="high_daily_cost").thresholds.get().level == 7

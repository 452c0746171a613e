"""Which alerts are raised, and that each is raised once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from costtrack.alerts.evaluate import raise_budget_alerts
from costtrack.budgets.changes import change_budget
from costtrack.exceptions import BudgetExceeded
from costtrack.metering.ledger import record_events
from costtrack.models import Budget, BudgetAlert, Organization
from tests.budgets.asked import hold, make_budget
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)

CALL = Decimal("0.0045")
"""USD of one call of `make_event`: 1000 x 3 + 100 x 15 per million."""


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def acme() -> Organization:
    make_rate()
    return make_organization()


def use(calls: int, *, at: datetime = NOON, **attribution: Any) -> None:
    record_events([make_event(occurred_at=at, attribution=attribution) for _ in range(calls)])


def raised(budget: Budget) -> list[tuple[str, str]]:
    """(level, figure) of the budget's alerts, oldest first."""
    rows = BudgetAlert.objects.filter(budget=budget).order_by("raised_at", "figures__threshold")
    return [(row.figures["threshold"], row.figures["cost"]) for row in rows]


def test_86_percent_then_96_percent_are_two_alerts(acme: Organization) -> None:
    budget = make_budget(acme, "0.45", enforcement="soft")
    for level in ("80", "95"):
        budget.thresholds.create(level=Decimal(level))
    use(86)  # 0.387 of 0.45: 86 %
    assert raised(budget) == [("80", "0.387")]
    use(10)  # 0.432: 96 %
    assert raised(budget) == [("80", "0.387"), ("95", "0.432")]
    use(10)
    raise_budget_alerts()
    assert len(raised(budget)) == 2


def test_a_jump_over_two_levels_fires_both_once_each(acme: Organization) -> None:
    budget = make_budget(acme, "0.045", enforcement="soft")
    for level in ("50", "80", "101"):
        budget.thresholds.create(level=Decimal(level))
    use(10)  # 100 %
    assert raised(budget) == [("50", "0.045"), ("80", "0.045")]


def test_an_amount_is_a_level_too_and_one_call_below_it_is_not_there(acme: Organization) -> None:
    budget = make_budget(acme, None, enforcement="soft")
    budget.thresholds.create(level=Decimal("0.009"), unit="amount")
    use(1)
    assert raised(budget) == []
    use(1)
    assert raised(budget) == [("0.009", "0.009")]


def test_a_new_period_fires_again(acme: Organization) -> None:
    budget = make_budget(acme, "0.0045", enforcement="soft")
    budget.thresholds.create(level=100)
    use(1)
    with time_machine.travel(NOON + timedelta(days=1), tick=False):
        use(1, at=NOON + timedelta(days=1))
        use(1, at=NOON + timedelta(days=1))
    assert raised(budget) == [("100", "0.0045")] * 2


def test_a_raised_limit_begins_anew_and_a_lowered_one_does_not(acme: Organization) -> None:
    budget = make_budget(acme, "0.0045", enforcement="soft")
    budget.thresholds.create(level=100)
    use(1)
    change_budget(budget, limit=Decimal("0.009"))
    raise_budget_alerts()
    assert len(raised(budget)) == 1
    use(1)
    assert raised(budget) == [("100", "0.0045"), ("100", "0.009")]
    change_budget(budget, limit=Decimal("0.001"))
    raise_budget_alerts()
    assert len(raised(budget)) == 2


def test_a_late_event_raises_nothing_again_of_a_period_that_has_been_told(acme: Organization) -> None:
    budget = make_budget(acme, "0.0045", enforcement="soft")
    budget.thresholds.create(level=100)
    use(1)
    with time_machine.travel(NOON + timedelta(days=2), tick=False):
        use(1)
        assert raise_budget_alerts() == []
    assert len(raised(budget)) == 1


def test_what_was_crossed_while_the_job_was_away_for_two_days_is_told(acme: Organization) -> None:
    budget = make_budget(acme, "0.0045", enforcement="soft")
    use(1)
    budget.thresholds.create(level=100)  # nobody looks at it at once: it is newer than the usage
    with time_machine.travel(NOON + timedelta(days=2), tick=False):
        assert len(raise_budget_alerts()) == 1


def test_what_was_crossed_is_told_until_three_days_after_the_end_of_its_period(acme: Organization) -> None:
    budget = make_budget(acme, "0.0045", enforcement="soft")
    use(1)  # on the 20th, which ends at the midnight of the 21st
    budget.thresholds.create(level=100)
    too_late = datetime(2026, 11, 24, tzinfo=UTC)
    assert raise_budget_alerts(now=too_late) == []
    assert len(raise_budget_alerts(now=too_late - timedelta(seconds=1))) == 1


def test_each_thread_of_a_budget_per_thread_is_told_of(acme: Organization) -> None:
    budget = make_budget(acme, "0.009", enforcement="soft", per="thread")
    budget.thresholds.create(level=100)
    for thread in ("t1", "t2", "t3"):
        use(2 if thread != "t3" else 1, thread_id=thread)
    assert set(BudgetAlert.objects.values_list("subject", flat=True)) == {"t1", "t2"}


def test_a_forecast_past_the_level_is_told_before_it_is_spent(acme: Organization) -> None:
    budget = make_budget(acme, "0.03", enforcement="soft")
    budget.thresholds.create(level=100, basis="forecast")
    budget.thresholds.create(level=100)
    use(3)  # 0.0135 by noon, so 0.027 by midnight: 90 %
    assert raised(budget) == []
    use(1)  # 0.018, so 0.036
    assert raised(budget) == [("100", "0.036")]


def test_a_resting_budget_raises_nothing(acme: Organization) -> None:
    budget = make_budget(acme, "0.0045", enforcement="soft")
    use(1)
    budget.thresholds.create(level=100)
    change_budget(budget, is_active=False)
    assert raise_budget_alerts() == []


def test_a_limit_that_refuses_before_it_is_all_spent_is_told_at_the_refusal(acme: Organization) -> None:
    budget = make_budget(acme, "0.01")
    for level in (80, 100):
        budget.thresholds.create(level=level)
    use(2)  # 0.009: 90 %
    assert raised(budget) == [("80", "0.009")]
    for _ in range(2):
        with pytest.raises(BudgetExceeded):
            hold("0.002")
    assert sorted(raised(budget)) == [("100", "0.009"), ("80", "0.009")]
    assert "calls are refused" in BudgetAlert.objects.get(figures__threshold="100").message


def test_the_message_says_what_was_reached_and_when_it_begins_anew(acme: Organization) -> None:
    budget = make_budget(acme, "100", enforcement="soft", name="Team day")
    budget.thresholds.create(level=Decimal("0.01"))
    use(3)
    assert BudgetAlert.objects.get().message == (
        "Team day: $0.01 of $100.00 spent; that is 0.01 %, and you asked to be told at 0.01 %."
        " It begins anew at 2026-11-21 00:00 UTC."
    )


def test_e5_a_template_is_filled_in_and_one_that_can_not_be_is_replaced(acme: Organization) -> None:
    budget = make_budget(acme, "0.0045", enforcement="soft")
    budget.thresholds.create(level=100, message_template="High: {cost:.4f} >= {threshold:.0f} % ({severity})")
    budget.thresholds.create(level=99, message_template="{cost.__class__}")
    use(1)
    messages = {row.figures["threshold"]: row.message for row in BudgetAlert.objects.all()}
    assert messages["100"] == "High: 0.0045 >= 100 % (warning)"
    assert "$0.004500 of $0.004500 spent" in messages["99"]


def test_an_organization_s_own_midnight_is_its_period_s(acme: Organization) -> None:
    indian = make_organization("indian", timezone="Asia/Kolkata")
    budget = make_budget(indian, "0.0045", enforcement="soft")
    budget.thresholds.create(level=100)
    use(1, organization="indian")
    alert = BudgetAlert.objects.get()
    assert alert.period_start == datetime(2026, 11, 19, 18, 30, tzinfo=UTC)
    assert "2026-11-21 00:00 IST" in alert.message

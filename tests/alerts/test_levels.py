"""Which levels a threshold may have."""

from __future__ import annotations

from decimal import Decimal

import pytest
import time_machine
from django.core.exceptions import ValidationError

from costtrack.alerts.evaluate import raise_budget_alerts
from costtrack.metering.ledger import record_events
from costtrack.models import Budget, BudgetAlert, BudgetThreshold
from tests.budgets.asked import make_budget
from tests.factories import NOON, make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db(transaction=True)


def saved(budget: Budget, level: str) -> str:
    """What is said against it; "" if it is saved."""
    threshold = BudgetThreshold(budget=budget, level=Decimal(level))
    try:
        threshold.full_clean()
    except ValidationError as error:
        return " ".join(error.messages)
    threshold.save()
    return ""


@time_machine.travel(NOON, tick=False)
def test_in_33_wrong_levels_are_refused_with_words_and_the_others_fire_once_each() -> None:
    make_rate()
    budget = make_budget(make_organization(), "0.045", enforcement="soft")
    said = [saved(budget, level) for level in ("80", "80", "0", "101", "-5", "NaN")]
    assert [bool(words) for words in said] == [False, True, True, False, True, True]
    assert said[2] == said[4] == "Ensure this value is greater than or equal to 0.01."
    assert [f"{one:f}" for one in budget.thresholds.values_list("level", flat=True)] == [
        "80.000000000000",
        "101.000000000000",
    ]
    for calls, alerts in ((7, 0), (1, 1), (2, 1), (1, 2), (5, 2)):  # 0.0045 each: 70, 80, 100, 110, 160 %
        record_events([make_event() for _ in range(calls)])
        raise_budget_alerts()
        assert BudgetAlert.objects.count() == alerts

"""A budget that one call crosses."""

from __future__ import annotations

import pytest

from costtrack.models import Budget
from tests.budgets.asked import make_budget
from tests.factories import make_organization, make_rate


@pytest.fixture
def budget() -> Budget:
    make_rate()
    budget = make_budget(make_organization(), "0.0045", enforcement="soft", name="A day")
    budget.thresholds.create(level=100, severity="warning")
    return budget

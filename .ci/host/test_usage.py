"""A test of the smallest site: the wheel brings its pytest plugin along."""

from decimal import Decimal

import pytest

from costtrack import record_usage
from costtrack.models import ResourceUsage
from costtrack.testing import assert_cost_below


@assert_cost_below("0.02")
def test_a_call_costs_little(captured_usage):
    """1,000 at 3 USD and 500 at 15 USD per million: 0.003 + 0.0075."""
    record_usage(provider="anthropic", model="claude-3-5-sonnet-20241022", input_tokens=1000, output_tokens=500)
    assert captured_usage.total_cost_usd == Decimal("0.0105")


@pytest.mark.django_db
def test_usage_is_in_the_ledger_at_once():
    """The plugin records inline."""
    assert record_usage(model="gpt-4o", input_tokens=1).status == "recorded"
    assert ResourceUsage.objects.count() == 1

"""What of reserved GPU time was used, and what the rest has cost: each figure worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine

import costtrack
from costtrack.models import BudgetCounter, Hold, Organization, Rate
from costtrack.pricing.ratebook import forget_rates
from costtrack.reporting import reserved_use as reading
from costtrack.reporting.ledger_rows import ledger_rows
from costtrack.reporting.reserved_use import ReservedUse, reserved_use
from tests.budgets.asked import make_budget
from tests.factories import NOON, make_organization, make_rate

pytestmark = pytest.mark.django_db
JOB = {"organization": "acme", "project": "fold", "resource_type": "gpu_seconds", "model": "a100"}


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=True):
        yield


@pytest.fixture(autouse=True)
def acme(db: None) -> Organization:
    """With a budget of GPU time, and a second of an A100 at 0.0005 USD, of an H100 at 0.002."""
    for model, price in (("a100", "0.0005"), ("h100", "0.002")):
        Rate.objects.create(model=model, resource_type="gpu_seconds", unit_price_usd=Decimal(price))
    make_rate()
    forget_rates()
    owner = make_organization()
    make_budget(owner, "1000000", metric="amount", resource_type="gpu_seconds")
    return owner


def job(amount: int, used: int, **more: Any) -> None:
    """Reserve, use, settle."""
    with costtrack.reserve("fold", amount=amount, **{**JOB, **more}) as hold:
        hold.settle(amount=used)


def found() -> list[ReservedUse]:
    costtrack.flush()
    return list(reserved_use(ledger_rows()))


def test_what_was_held_and_not_used_is_idle_at_the_price_of_its_time() -> None:
    job(3600, 900)
    job(3600, 1800)
    job(1000, 0, model="h100")
    assert found() == [
        ReservedUse(
            resource_type="gpu_seconds",
            model="a100",
            reservations=2,
            held=Decimal(7200),
            used=Decimal(2700),
            idle=Decimal(4500),
            idle_cost_usd=Decimal("2.25"),  # 4500 x 0.0005
        ),
        ReservedUse(
            resource_type="gpu_seconds",
            model="h100",
            reservations=1,
            held=Decimal(1000),
            used=Decimal(0),
            idle=Decimal(1000),
            idle_cost_usd=Decimal("2"),
        ),
    ]
    assert [one.used_percent for one in found()] == [Decimal("37.5"), Decimal("0.0")]


def test_more_than_was_held_makes_up_for_no_other() -> None:
    job(100, 300)
    job(100, 50)
    [one] = found()
    assert (one.held, one.used, one.idle, one.idle_cost_usd) == (200, 350, 50, Decimal("0.025"))
    assert one.used_percent == Decimal("75.0")


def test_an_idle_second_without_a_unit_price_is_told(acme: Organization) -> None:
    job(100, 40, model="unknown", max_cost_usd="1")
    [one] = found()
    assert (one.idle, one.idle_cost_usd, one.without_price) == (60, 0, 1)


def test_it_is_known_after_the_counters_are_gone(acme: Organization) -> None:
    job(100, 40)
    costtrack.flush()
    BudgetCounter.objects.all().delete()
    assert [one.idle for one in found()] == [60]


def test_what_was_not_reserved_and_tools_and_tokens_are_none_of_it(acme: Organization) -> None:
    make_budget(acme, "100", resource_type="api_call")
    costtrack.record_usage(amount=500, **JOB)
    costtrack.record_api_call("search", organization="acme")
    costtrack.record_usage(organization="acme", provider="openai", model="test-model", input_tokens=10)
    assert found() == []


def test_of_two_usages_at_one_instant_none_is_told(acme: Organization) -> None:
    job(100, 40)
    at = Hold.objects.get().admitted_at
    costtrack.record_usage(amount=500, occurred_at=at, **JOB)
    assert found() == []


def test_usage_at_the_instant_of_another_model_s_hold_or_of_a_released_one_was_not_reserved() -> None:
    with costtrack.reserve("fold", amount=100, **JOB) as hold:
        hold.release()
    costtrack.record_usage(amount=50, occurred_at=Hold.objects.get().admitted_at, **JOB)
    assert found() == []
    job(100, 40)
    at = Hold.objects.get(state="settled").admitted_at
    costtrack.record_usage(amount=50, occurred_at=at, **{**JOB, "model": "h100"})
    assert [(one.model, one.reservations) for one in found()] == [("a100", 1)]


def test_of_many_the_newest_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    for used in (10, 20, 30):
        job(100, used)
    monkeypatch.setattr(reading, "MOST_ROWS", 2)
    assert [(one.reservations, one.used) for one in found()] == [(2, Decimal(50))]

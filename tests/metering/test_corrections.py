from __future__ import annotations

from decimal import Decimal

import pytest

from costtrack.aggregation import verify_books
from costtrack.exceptions import InvalidCorrection, InvalidUsage
from costtrack.metering.corrections import adjust_usage, price_late, void_usage
from costtrack.metering.ledger import record_events
from costtrack.models import DailyCostSummary, ResourceUsage
from tests.factories import make_event, make_organization, make_rate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def acme() -> None:
    make_rate()
    make_organization()


def record(**fields) -> int:
    [result] = record_events([make_event(**fields)])
    assert result.usage_id
    return result.usage_id


def net(column: str) -> Decimal | int:
    return sum((getattr(row, column) or 0 for row in ResourceUsage.objects.all()), Decimal(0))


def summed(column: str) -> Decimal | int:
    return sum((getattr(row, column) for row in DailyCostSummary.objects.all()), Decimal(0))


def test_a_void_leaves_nothing_of_the_usage_in_the_books() -> None:
    usage_id = record(outcome="error", saving_usd=Decimal("0.5"), cache_read_tokens=10)
    void_usage(usage_id, reason="double import")
    for column in ("cost_usd", "calls", "errors", "input_tokens", "cache_read_tokens", "amount", "saving_usd"):
        assert net(column) == summed(column) == 0, column
    assert summed("latency_ms") == 0
    assert verify_books() == []


def test_a_void_after_adjustments_takes_those_back_too() -> None:
    usage_id = record()
    adjust_usage(usage_id, reason="invoice", cost_usd="0.0005")
    adjust_usage(usage_id, reason="recount", input_tokens=-200, cost_usd="-0.0006")
    assert net("cost_usd") == Decimal("0.0044")  # 0.0045 + 0.0005 - 0.0006
    void = void_usage(usage_id, reason="test traffic")
    assert void.cost_usd == Decimal("-0.0044")
    assert net("cost_usd") == net("input_tokens") == summed("cost_estimated_usd") == 0
    assert verify_books() == []


def test_voiding_an_unpriced_usage_takes_it_off_the_unpriced_count() -> None:
    usage_id = record(model="unknown-model")
    void_usage(usage_id, reason="test")
    assert summed("unpriced_calls") == summed("calls") == 0
    assert verify_books() == []


def test_a_late_price_carries_the_cost_and_leaves_the_calls() -> None:
    usage_id = record(model="unknown-model")
    rate = make_rate("unknown-model")
    row = price_late(usage_id, cost_usd=Decimal("0.0045"), rate_id=rate.id, reason="rate arrived")
    assert (row.calls, row.unpriced_calls, row.cost_source) == (0, -1, "estimated")
    assert (summed("calls"), summed("unpriced_calls"), summed("cost_usd")) == (1, 0, Decimal("0.0045"))
    with pytest.raises(InvalidCorrection, match="has a cost already"):
        price_late(usage_id, cost_usd=Decimal(1), rate_id=rate.id, reason="again")


def test_a_cost_given_by_hand_prices_an_unpriced_usage_as_reported() -> None:
    usage_id = record(model="unknown-model")
    adjust_usage(usage_id, reason="from the invoice", cost_usd="1.25")
    assert (summed("cost_reported_usd"), summed("unpriced_calls")) == (Decimal("1.25"), 0)
    void_usage(usage_id, reason="refunded")
    assert summed("cost_reported_usd") == summed("cost_usd") == summed("calls") == summed("unpriced_calls") == 0


def test_a_correction_lands_on_its_originals_day_and_keys() -> None:
    usage_id = record(attribution={"project": "p", "endpoint": "e"})
    original = ResourceUsage.objects.get(id=usage_id)
    row = adjust_usage(usage_id, reason="invoice", cost_usd="0.1")
    for name in ("day", "project_id", "endpoint", "model", "provider", "resource_type", "rate_id", "occurred_at"):
        assert getattr(row, name) == getattr(original, name), name
    assert row.recorded_at > original.recorded_at


def test_the_same_adjustment_key_again_is_the_same_adjustment() -> None:
    usage_id = record()
    first = adjust_usage(usage_id, reason="invoice", cost_usd="0.1", idempotency_key="inv-7")
    assert adjust_usage(usage_id, reason="invoice", cost_usd="0.1", idempotency_key="inv-7").id == first.id
    assert net("cost_usd") == Decimal("0.1045")


@pytest.mark.parametrize("too_much", [{"cost_usd": "-0.0046"}, {"input_tokens": -1001}, {"amount": "-1101"}])
def test_an_adjustment_never_takes_back_more_than_is_left(too_much: dict) -> None:
    usage_id = record()
    with pytest.raises(InvalidCorrection, match="more than was recorded"):
        adjust_usage(usage_id, reason="too much", **too_much)
    assert net("cost_usd") == summed("cost_usd") == Decimal("0.0045")


def test_a_void_cannot_be_voided_nor_anything_corrected_after_it() -> None:
    usage_id = record()
    void = void_usage(usage_id, reason="test")
    for again in (
        lambda: void_usage(usage_id, reason="again"),
        lambda: void_usage(void, reason="void the void"),
        lambda: adjust_usage(usage_id, reason="late", cost_usd=1),
        lambda: void_usage(usage_id + 10_000, reason="no such row"),
    ):
        with pytest.raises(InvalidCorrection):
            again()


def test_a_correction_says_why() -> None:
    usage_id = record()
    with pytest.raises(InvalidCorrection, match="reason"):
        void_usage(usage_id, reason=" ")
    assert void_usage(usage_id, reason="duplicate of ticket 7").reason == "duplicate of ticket 7"


@pytest.mark.parametrize(
    "bad", [{"cost_usd": "NaN"}, {"cost_usd": True}, {"amount": "Infinity"}, {"input_tokens": 1.5}]
)
def test_a_bad_figure_is_a_typed_error(bad: dict) -> None:
    with pytest.raises(InvalidUsage):
        adjust_usage(record(), reason="bad", **bad)


def test_an_unknown_token_name_is_named() -> None:
    with pytest.raises(TypeError, match="prompt_tokens"):
        adjust_usage(record(), reason="bad", prompt_tokens=1)

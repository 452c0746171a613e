from __future__ import annotations

from decimal import Decimal

import pytest
from asgiref.sync import async_to_sync
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

import costtrack
from costtrack.aggregation import verify_books
from costtrack.exceptions import IdempotencyConflict, InvalidCorrection, InvalidUsage
from costtrack.metering.corrections import adjust_usage, price_again, void_usage
from costtrack.metering.ledger import StaleRates, record_events
from costtrack.models import DailyCostSummary, Rate, RateTier, ResourceUsage
from costtrack.pricing.ratebook import current_ratebook
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

    def price() -> ResourceUsage:
        book = current_ratebook()
        return price_again(
            usage_id, cost_usd=Decimal("0.0045"), booked_usd=None, rate_id=rate.id, book=book, reason="rate arrived"
        )

    row = price()
    assert (row.calls, row.unpriced_calls, row.cost_source, row.rate_id) == (0, -1, "estimated", rate.id)
    assert (summed("calls"), summed("unpriced_calls"), summed("cost_usd")) == (1, 0, Decimal("0.0045"))
    with pytest.raises(InvalidCorrection, match="corrected meanwhile"):
        price()


def test_a_rate_that_prices_late_stands_for_good_like_any_used_rate() -> None:
    usage_id = record(model="unknown-model")
    rate = make_rate("unknown-model")
    values = {"cost_usd": Decimal("0.0045"), "booked_usd": None, "rate_id": rate.id, "reason": "rate arrived"}
    price_again(usage_id, book=current_ratebook(), **values)
    with pytest.raises(IntegrityError, match="never edited"), transaction.atomic():
        Rate.objects.filter(id=rate.id).update(input_usd_per_million=9)


def test_a_rate_that_was_changed_after_it_was_read_prices_nothing_late() -> None:
    usage_id = record(model="unknown-model")
    rate = make_rate("unknown-model")
    book = current_ratebook()
    RateTier.objects.create(rate=rate, above_input_tokens=10, input_usd_per_million=50)
    with pytest.raises(StaleRates):
        price_again(
            usage_id, cost_usd=Decimal("0.0045"), booked_usd=None, rate_id=rate.id, book=book, reason="rate arrived"
        )


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


def test_the_same_adjustment_key_with_other_figures_is_a_conflict() -> None:
    usage_id = record()
    adjust_usage(usage_id, reason="invoice", cost_usd="0.1", idempotency_key="inv-7")
    with pytest.raises(IdempotencyConflict):
        adjust_usage(usage_id, reason="invoice", cost_usd="0.2", idempotency_key="inv-7")
    assert net("cost_usd") == Decimal("0.1045")


def test_the_amount_of_an_llm_call_follows_its_tokens() -> None:
    usage_id = record()
    assert adjust_usage(usage_id, reason="recount", input_tokens=-10, output_tokens=3).amount == -7
    assert net("amount") == net("input_tokens") + net("output_tokens")


def test_a_free_usage_that_is_billed_after_all_nets_to_nothing_after_a_void() -> None:
    make_rate("gift", per_million=("0", "0"))
    usage_id = record(model="gift")
    adjust_usage(usage_id, reason="billed after all", cost_usd="0.5")
    assert summed("cost_reported_usd") == Decimal("0.5")
    void_usage(usage_id, reason="refunded")
    assert summed("cost_reported_usd") == summed("cost_usd") == 0
    assert verify_books() == []


TOO_MUCH = [
    {"cost_usd": "-0.0046"},
    {"input_tokens": -1001},
    {"amount": "-1101"},
    {"cache_read_tokens": -1},
    {"cache_read_tokens": 1001},
    {"output_tokens": -100, "reasoning_tokens": 1},
    {"cost_usd": "999999999999.999"},
]


@pytest.mark.parametrize("too_much", TOO_MUCH)
def test_an_adjustment_leaves_a_usage_that_could_be(too_much: dict) -> None:
    usage_id = record()
    with pytest.raises(InvalidCorrection, match=r"more than was recorded|would not add up"):
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
        lambda: void_usage("5", reason="text"),  # type: ignore[arg-type]
    ):
        with pytest.raises(InvalidCorrection):
            again()


def test_a_correction_says_why() -> None:
    usage_id = record()
    with pytest.raises(InvalidCorrection, match="reason"):
        void_usage(usage_id, reason=" ")
    assert void_usage(usage_id, reason="duplicate\nof \x00ticket 7").reason == "duplicate of ticket 7"


BAD_FIGURES = [
    {"cost_usd": "NaN"},
    {"cost_usd": True},
    {"cost_usd": "1e13"},
    {"amount": "Infinity"},
    {"input_tokens": 1.5},
]


@pytest.mark.parametrize("bad", BAD_FIGURES)
def test_a_bad_figure_is_a_typed_error(bad: dict) -> None:
    with pytest.raises(InvalidUsage):
        adjust_usage(record(), reason="bad", **bad)


def test_an_unknown_token_name_is_named() -> None:
    with pytest.raises(TypeError, match="prompt_tokens"):
        adjust_usage(record(), reason="bad", prompt_tokens=1)


def test_what_record_usage_gave_is_corrected_as_such_also_in_a_coroutine() -> None:
    async def record_and_void() -> ResourceUsage:
        usage = costtrack.record_usage(model="test-model", provider="openai", organization="acme", input_tokens=10)
        costtrack.adjust_usage(usage, reason="recount", input_tokens=5, cost_usd="0.1")
        return costtrack.void_usage(usage, reason="test")

    void = async_to_sync(record_and_void)()
    assert void.cost_usd == Decimal("-0.10003")  # 10 x 3 per million + 0.1
    assert net("cost_usd") == 0


def test_an_adjustment_that_changes_nothing_is_refused() -> None:
    usage_id = record()
    for nothing in ({}, {"cost_usd": 0}, {"input_tokens": 0, "amount": "0"}):
        with pytest.raises(InvalidCorrection, match="changes something"):
            adjust_usage(usage_id, reason="none", **nothing)


def test_a_ledger_row_is_not_deleted_through_its_model() -> None:
    usage_id = record()
    with pytest.raises(ProtectedError, match="append-only"):
        ResourceUsage.objects.get(id=usage_id).delete()
    with pytest.raises(ProtectedError, match="append-only"):
        ResourceUsage.objects.filter(id=usage_id).delete()
    assert ResourceUsage.objects.filter(id=usage_id).exists()

"""A newer version of the data follows the old one, and what was stored stands."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from costtrack.models import Rate
from costtrack.models.rates import FROM_EVER
from costtrack.pricing.loading.drafts import DraftRate
from costtrack.pricing.loading.follow import LoadReport, follow
from costtrack.pricing.priced_rate import PricedRate, Prices, PriceTier
from tests.factories import make_organization, make_rate

pytestmark = pytest.mark.django_db

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = datetime(2026, 6, 1, tzinfo=UTC)
THIRD = datetime(2026, 9, 1, tzinfo=UTC)


def draft(price: str, model: str = "m", start: datetime | None = None, **fields: Any) -> DraftRate:
    """A price for input tokens."""
    rate = PricedRate(
        provider="openai",
        model=model,
        prices=Prices(input_usd_per_million=Decimal(price)),
        source="genai-prices",
        effective_from=start or FROM_EVER,
        **fields,
    )
    return DraftRate(rate, is_dated=start is not None)


def load(now: datetime, *drafts: DraftRate, **options: Any) -> LoadReport:
    """Load as the maintained data is loaded."""
    values: dict[str, Any] = {"managed_sources": ("genai-prices",), "ends_missing": True} | options
    return follow(drafts, now=now, using="default", **values)


def history(model: str = "m") -> list[tuple[datetime, Decimal | None]]:
    """Start and price of each stored rate."""
    return list(
        Rate.objects.filter(model=model)
        .order_by("effective_from", "id")
        .values_list("effective_from", "input_usd_per_million")
    )


def test_the_first_load_holds_from_ever_and_again_changes_nothing() -> None:
    assert load(FIRST, draft("3"), draft("4", "other")) == LoadReport(created=2)
    assert load(SECOND, draft("3"), draft("4", "other")) == LoadReport(unchanged=2)
    assert history() == [(FROM_EVER, Decimal(3))]


def test_a_changed_undated_price_begins_when_it_is_loaded() -> None:
    load(FIRST, draft("3"))
    assert load(SECOND, draft("4")) == LoadReport(changed=1)
    assert load(THIRD, draft("4")) == LoadReport(unchanged=1)
    assert history() == [(FROM_EVER, Decimal(3)), (SECOND, Decimal(4))]


def test_a_new_dated_price_begins_at_its_date_even_if_that_has_passed() -> None:
    load(FIRST, draft("3"))
    may = datetime(2026, 5, 1, tzinfo=UTC)
    assert load(SECOND, draft("3"), draft("4", start=may), draft("5", start=THIRD)) == LoadReport(changed=1)
    assert history() == [(FROM_EVER, Decimal(3)), (may, Decimal(4)), (THIRD, Decimal(5))]
    assert load(SECOND, draft("3"), draft("4", start=may), draft("5", start=THIRD)) == LoadReport(unchanged=1)


def test_a_corrected_past_price_never_rewrites_the_past() -> None:
    load(FIRST, draft("3"), draft("4", start=datetime(2026, 2, 1, tzinfo=UTC)))
    assert load(SECOND, draft("2"), draft("4", start=datetime(2026, 2, 1, tzinfo=UTC))) == LoadReport(unchanged=1)
    assert load(SECOND, draft("2"), draft("6", start=datetime(2026, 2, 1, tzinfo=UTC))) == LoadReport(changed=1)
    assert history() == [
        (FROM_EVER, Decimal(3)),
        (datetime(2026, 2, 1, tzinfo=UTC), Decimal(4)),
        (SECOND, Decimal(6)),
    ]


def test_an_announced_price_that_never_began_is_replaced_or_dropped() -> None:
    load(FIRST, draft("3"), draft("9", start=THIRD))
    assert load(SECOND, draft("3"), draft("8", start=THIRD)) == LoadReport(changed=1)
    assert history() == [(FROM_EVER, Decimal(3)), (THIRD, Decimal(8))]
    assert load(SECOND, draft("3")) == LoadReport(changed=1)
    assert history() == [(FROM_EVER, Decimal(3))]


def test_a_vanished_model_is_withdrawn_from_now_and_may_come_back() -> None:
    load(FIRST, draft("3"), draft("4", "other"))
    assert load(SECOND, draft("4", "other")) == LoadReport(unchanged=1, ended=1)
    assert load(SECOND, draft("4", "other")) == LoadReport(unchanged=1)
    assert load(THIRD, draft("3"), draft("4", "other")) == LoadReport(changed=1, unchanged=1)
    assert history() == [(FROM_EVER, Decimal(3)), (SECOND, None), (THIRD, Decimal(3))]


def test_two_changes_at_one_instant_follow_one_another() -> None:
    load(FIRST, draft("3"))
    load(SECOND, draft("4"))
    load(SECOND, draft("5"))
    assert history() == [
        (FROM_EVER, Decimal(3)),
        (SECOND, Decimal(4)),
        (SECOND + timedelta(microseconds=1), Decimal(5)),
    ]


def test_a_new_service_tier_or_window_of_a_known_model_begins_now() -> None:
    load(FIRST, draft("3"))
    load(SECOND, draft("3"), draft("1", service_tier="batch"), draft("6", window_start=time(1), window_end=time(4)))
    assert list(Rate.objects.exclude(service_tier="standard").values_list("effective_from", flat=True)) == [SECOND]
    assert Rate.objects.get(window_end=time(4)).effective_from == SECOND


def test_a_model_that_was_another_name_of_one_begins_now() -> None:
    load(FIRST, draft("3", aliases=("m-plus",)))
    load(SECOND, draft("3"), draft("9", "m-plus"))
    assert history("m-plus") == [(SECOND, Decimal(9))]


def test_a_changed_tier_is_a_changed_price() -> None:
    def tiered(price: str) -> DraftRate:
        tier = PriceTier(above_input_tokens=200_000, prices=Prices(input_usd_per_million=Decimal(price)))
        return draft("3", tiers=(tier,))

    assert load(FIRST, tiered("6")) == LoadReport(created=1)
    assert load(SECOND, tiered("6.0")) == LoadReport(unchanged=1)
    assert load(SECOND, tiered("7")) == LoadReport(changed=1)
    assert [rate.tiers.get().input_usd_per_million for rate in Rate.objects.order_by("effective_from")] == [6, 7]


def test_rates_set_by_hand_are_kept() -> None:
    load(FIRST, draft("3"))
    by_hand = make_rate("m", "openai", per_million=("2", "2"), effective_from=SECOND)
    assert load(THIRD, draft("4")) == LoadReport(kept=1)
    assert load(THIRD) == LoadReport()
    assert Rate.objects.order_by("effective_from").last() == by_hand


def test_a_used_rate_is_followed_never_edited() -> None:
    load(FIRST, draft("3", aliases=("one",)))
    Rate.objects.update(is_used=True)
    assert load(SECOND, draft("3", aliases=("one", "two"))) == LoadReport(changed=1)
    assert list(Rate.objects.order_by("effective_from").values_list("aliases", flat=True)) == [["one"], ["one", "two"]]


def test_other_names_of_an_unused_rate_are_renewed_in_place() -> None:
    load(FIRST, draft("3", aliases=("one",)))
    assert load(SECOND, draft("3", aliases=("one", "two"))) == LoadReport(changed=1)
    assert Rate.objects.get().aliases == ["one", "two"]


def test_own_rates_and_global_ones_do_not_touch_one_another() -> None:
    organization = make_organization()
    load(FIRST, draft("3"))
    report = load(SECOND, draft("2"), organization_id=organization.pk, managed_sources=None, ends_missing=False)
    assert report == LoadReport(created=1)
    assert load(THIRD, draft("3")) == LoadReport(unchanged=1)
    assert organization.rates.get().effective_from == FROM_EVER


def test_a_dry_run_writes_nothing() -> None:
    assert load(FIRST, draft("3"), is_dry_run=True) == LoadReport(created=1, is_dry_run=True)
    assert not Rate.objects.exists()


def test_a_new_service_tier_takes_its_dated_price_where_that_has_begun() -> None:
    load(FIRST, draft("3"))
    may = datetime(2026, 5, 1, tzinfo=UTC)
    load(SECOND, draft("3"), draft("1", service_tier="batch"), draft("2", service_tier="batch", start=may))
    batch = Rate.objects.filter(service_tier="batch").values_list("effective_from", "input_usd_per_million")
    assert list(batch) == [(may, Decimal(2))]


def test_an_announced_price_that_has_priced_a_call_stands() -> None:
    load(FIRST, draft("3"), draft("9", start=THIRD))
    Rate.objects.filter(effective_from=THIRD).update(is_used=True)
    assert load(SECOND, draft("3")) == LoadReport(unchanged=1)
    assert history() == [(FROM_EVER, Decimal(3)), (THIRD, Decimal(9))]


@pytest.mark.parametrize("spelling", ["OpenAI", "open_ai"])
def test_rates_set_by_hand_are_kept_however_their_names_are_spelled(spelling: str) -> None:
    make_rate("M", spelling, per_million=("2", "2"), service_tier="standard")
    assert load(FIRST, draft("4"), is_dry_run=True) == LoadReport(kept=1, is_dry_run=True)
    assert load(FIRST, draft("4")) == LoadReport(kept=1)
    assert Rate.objects.count() == 1


def test_a_persons_draft_without_aliases_keeps_the_stored_ones() -> None:
    by_person: dict[str, Any] = {"managed_sources": None, "ends_missing": False}
    load(FIRST, draft("3", aliases=("one",)))
    assert load(SECOND, draft("3"), **by_person) == LoadReport(unchanged=1)
    assert load(SECOND, draft("4"), draft("5", start=THIRD), **by_person) == LoadReport(changed=1)
    assert load(THIRD, draft("5", aliases=("two",)), **by_person) == LoadReport(changed=1)
    assert list(Rate.objects.order_by("effective_from").values_list("effective_from", "aliases")) == [
        (FROM_EVER, ["one"]),
        (SECOND, ["one"]),
        (THIRD, ["two"]),
    ]


def test_maintained_data_without_aliases_ends_them() -> None:
    load(FIRST, draft("3", aliases=("one",)))
    assert load(SECOND, draft("3")) == LoadReport(changed=1)
    assert Rate.objects.get().aliases == []

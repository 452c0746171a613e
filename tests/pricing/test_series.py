"""Which rate is in force."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest

from costtrack.models.rates import FROM_EVER
from costtrack.pricing.priced_rate import NO_PRICES, PricedRate, Prices
from costtrack.pricing.series import RateSeries

JULY = datetime(2026, 7, 1, tzinfo=UTC)


def rate(
    version: str, start: datetime = FROM_EVER, window: tuple[int, int] = (0, 0), prices: Prices | None = None
) -> PricedRate:
    """A rate known by its version, with a window of whole hours."""
    return PricedRate(
        provider="p",
        model="m",
        effective_from=start,
        window_start=time(window[0]),
        window_end=time(window[1]),
        prices=Prices(input_usd_per_million=Decimal(3)) if prices is None else prices,
        source_version=version,
    )


def version_at(series: RateSeries, instant: datetime) -> str | None:
    """The version of the rate in force."""
    found = series.at(instant)
    return found.source_version if found else None


def test_a_rate_holds_from_its_first_instant_until_the_next_begins() -> None:
    series = RateSeries([rate("new", JULY), rate("old")])
    assert version_at(series, JULY - timedelta(microseconds=1)) == "old"
    assert version_at(series, JULY) == "new"


def test_before_the_first_rate_there_is_none() -> None:
    assert version_at(RateSeries([rate("new", JULY)]), JULY - timedelta(days=1)) is None


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ((21, 59), "day"),
        ((22, 0), "night"),
        ((23, 59), "night"),
        ((0, 0), "night"),
        ((5, 59), "night"),
        ((6, 0), "day"),
    ],
)
def test_a_window_may_pass_midnight(clock: tuple[int, int], expected: str) -> None:
    series = RateSeries([rate("day"), rate("night", window=(22, 6))])
    assert version_at(series, JULY.replace(hour=clock[0], minute=clock[1])) == expected


def test_windows_are_of_utc_whatever_the_instants_zone() -> None:
    series = RateSeries([rate("day"), rate("morning", window=(1, 4))])
    tokyo = timezone(timedelta(hours=9))
    assert version_at(series, datetime(2026, 7, 1, 11, tzinfo=tokyo)) == "morning"  # 02:00 UTC
    assert version_at(series, datetime(2026, 7, 1, 2, tzinfo=tokyo)) == "day"  # 17:00 UTC the day before


def test_a_window_begins_at_its_date() -> None:
    series = RateSeries([rate("day"), rate("peak", JULY, window=(1, 4))])
    assert version_at(series, JULY.replace(hour=2) - timedelta(days=1)) == "day"
    assert version_at(series, JULY.replace(hour=2)) == "peak"


def test_a_withdrawn_window_leaves_the_all_day_rate() -> None:
    series = RateSeries([rate("day"), rate("peak", window=(1, 4)), rate("over", JULY, window=(1, 4), prices=NO_PRICES)])
    assert version_at(series, JULY.replace(hour=2)) == "day"

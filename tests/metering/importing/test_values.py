"""Cells become values: times of every spelling, counts, texts, objects."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from costtrack.exceptions import InvalidUsage
from costtrack.metering.importing.values import count, instant, json_object, tags, text, whole_milliseconds

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2023-11-16 18:15:46.6805900", datetime(2023, 11, 16, 18, 15, 46, 680590, UTC)),
        ("2023-11-16T18:15:46.123456789Z", datetime(2023, 11, 16, 18, 15, 46, 123456, UTC)),
        ("2023-11-16T18:15:46+02:00", datetime(2023, 11, 16, 16, 15, 46, 0, UTC)),
        ("2023-11-16 18:15:46+00", datetime(2023, 11, 16, 18, 15, 46, 0, UTC)),
        ("2023-11-16 18:15:46 UTC", datetime(2023, 11, 16, 18, 15, 46, 0, UTC)),
        (" 2023-11-16 ", datetime(2023, 11, 16, tzinfo=UTC)),
        ("1700158546", datetime(2023, 11, 16, 18, 15, 46, 0, UTC)),
        ("1700158546.25", datetime(2023, 11, 16, 18, 15, 46, 250000, UTC)),
        ("1700158546680", datetime(2023, 11, 16, 18, 15, 46, 680000, UTC)),
        (1700158546, datetime(2023, 11, 16, 18, 15, 46, 0, UTC)),
        (1700158546.5, datetime(2023, 11, 16, 18, 15, 46, 500000, UTC)),
        (1700158546680, datetime(2023, 11, 16, 18, 15, 46, 680000, UTC)),
        (1700158546680590, datetime(2023, 11, 16, 18, 15, 46, 680590, UTC)),
        (1700158546680590123, datetime(2023, 11, 16, 18, 15, 46, 680590, UTC)),
    ],
)
def test_an_instant_is_read_in_every_usual_spelling(written, expected):
    seen = instant("occurred_at", written)
    assert seen == expected
    assert seen.utcoffset().total_seconds() == 0


def test_a_naive_time_is_in_the_given_zone_and_an_offset_wins_over_it():
    # Berlin is an hour ahead of UTC in November, two in July.
    assert instant("occurred_at", "2023-11-16 18:15:46", BERLIN) == datetime(2023, 11, 16, 17, 15, 46, 0, UTC)
    assert instant("occurred_at", "2023-07-16 18:15:46", BERLIN) == datetime(2023, 7, 16, 16, 15, 46, 0, UTC)
    assert instant("occurred_at", "2023-11-16T18:15:46Z", BERLIN) == datetime(2023, 11, 16, 18, 15, 46, 0, UTC)
    assert instant("occurred_at", "1700158546", BERLIN) == datetime(2023, 11, 16, 18, 15, 46, 0, UTC)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            "yesterday",
            "11/16/2023 18:15",
            "2023-13-01",
            "2023-11-16 18:15:60",
            "12345",
            "9" * 22,
            "9" * 400,
            "\x00",
        ),
        *("0001-01-01T00:00:00+14:00", 12345, True, float("nan"), float("inf"), -1, [], None),
    ],
)
def test_what_is_no_instant_is_refused_by_name(written):
    with pytest.raises(InvalidUsage, match=r"^occurred_at: "):
        instant("occurred_at", written)


@pytest.mark.parametrize(
    ("written", "expected"), [(374, 374), ("374", 374), (" 374 ", 374), ("374.0", 374), (374.0, 374), ("1e3", 1000)]
)
def test_a_count_is_a_whole_number_however_written(written, expected):
    seen = count("input_tokens", written)
    assert (seen, type(seen)) == (expected, int)


@pytest.mark.parametrize("written", ["3.5", "1,000", "many", "NaN", "inf", True, [], "9" * 100, "1e50"])
def test_what_is_no_whole_number_is_refused_by_name(written):
    with pytest.raises(InvalidUsage, match=r"^input_tokens: "):
        count("input_tokens", written)


def test_milliseconds_are_rounded_half_even():
    assert [whole_milliseconds("latency_ms", one) for one in ("12.5", "13.5", 12.4, 7)] == [12, 14, 12, 7]


def test_text_takes_numbers_as_their_digits_and_nothing_else():
    assert (text("user", " ann "), text("user", 42)) == ("ann", "42")
    for wrong in (True, {}, []):
        with pytest.raises(InvalidUsage, match=r"^user: "):
            text("user", wrong)


def test_tags_are_text_and_objects_are_objects():
    assert tags("tags", '{"team": "search", "n": 3, "beta": true, "none": null}') == {
        "team": "search",
        "n": "3",
        "beta": "true",
    }
    assert json_object("metadata", '{"temperature": 0.5}') == {"temperature": 0.5}
    for wrong in ("[]", "{", "x", 3):
        with pytest.raises(InvalidUsage, match=r"^metadata: "):
            json_object("metadata", wrong)


def test_numbers_stay_decimal():
    from costtrack.metering.importing.values import number

    assert number("cost_usd", " 0.1 ") == Decimal("0.1")
    assert number("cost_usd", 0.1) == Decimal("0.1")

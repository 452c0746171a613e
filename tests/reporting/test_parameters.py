from __future__ import annotations

from datetime import date

import pytest

from costtrack.domain.periods import ZoneHistory
from costtrack.reporting.parameters import InvalidParameter, check_names, parse_count, parse_day, parse_edge, parse_text

NEW_YORK = ZoneHistory.of("America/New_York")


def test_a_day_is_read() -> None:
    assert parse_day("target_date", "2023-11-16") == date(2023, 11, 16)
    assert parse_day("target_date", "1970-01-01") == date(1970, 1, 1)
    assert parse_day("target_date", "9000-12-31") == date(9000, 12, 31)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "2023-02-30",
        "2023-13-01",
        "20231116",
        "2023-W46-4",
        "2023-11-16T00:00:00",
        "0001-01-01",
        "9999-12-31",
        "1969-12-31",
        "9001-01-01",
        "2023-11-16\x00",
        "2023-11-16\n",
        "2023-11-1\u0666",
        "-2023-11-16",
        "9" * 5000,
    ],
)
def test_no_day_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^target_date: got .*, expected a date like 2023-11-16") as refusal:
        parse_day("target_date", text)
    assert len(str(refusal.value)) < 250


@pytest.mark.parametrize("text", ["0", "366", "-1", "+5", "1.5", "1e2", "", " 5", "\u0665", "NaN", "9" * 5000, "5\x00"])
def test_no_count_is_refused_with_its_range(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^days: got .*, expected a whole number from 1 to 365\.$"):
        parse_count("days", text, low=1, high=365)


def test_both_ends_of_a_count_s_range_are_in() -> None:
    assert [parse_count("days", text, low=1, high=365) for text in ("1", "365")] == [1, 365]


@pytest.mark.parametrize(
    "text", ["2023-11-05", "2023-11-05T00:00:00-04:00", "2023-11-05T04:00:00Z", "2023-11-05T04:00:00+00:00"]
)
def test_an_edge_is_a_day_or_its_midnight(text: str) -> None:
    assert parse_edge("period_start", text, zone=NEW_YORK) == date(2023, 11, 5)


def test_a_midnight_that_comes_twice_is_the_first_one() -> None:
    # In Havana the clock goes back from 01:00 to 00:00 on that day.
    havana = ZoneHistory.of("America/Havana")
    assert parse_edge("period_start", "2023-11-05T00:00:00-04:00", zone=havana) == date(2023, 11, 5)
    with pytest.raises(InvalidParameter):
        parse_edge("period_start", "2023-11-05T00:00:00-05:00", zone=havana)


def test_a_plus_that_a_query_string_turned_into_a_blank_is_understood() -> None:
    kolkata = ZoneHistory.of("Asia/Kolkata")
    assert parse_edge("period_start", "2023-11-05T00:00:00 05:30", zone=kolkata) == date(2023, 11, 5)


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-05T00:00:00",
        "2023-11-05T12:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "garbage",
        "\x00",
        "2023-11-05T04:00:00Z" + "0" * 5000,
    ],
)
def test_any_other_instant_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^period_start: got .* or a local midnight with its offset"):
        parse_edge("period_start", text, zone=NEW_YORK)


@pytest.mark.parametrize("text", ["", "a\x00b", "x" * 201])
def test_a_text_that_cannot_be_stored_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^organization: got "):
        parse_text("organization", text)


def test_a_name_that_is_not_known_is_refused_with_those_that_are() -> None:
    check_names({"limit": "x"}, known=("limit", "format"))
    check_names({}, known=())
    refusal = r"^date: got '2026-11-20', expected no such parameter; the known ones are limit, format\.$"
    with pytest.raises(InvalidParameter, match=refusal):
        check_names({"limit": "1", "date": "2026-11-20"}, known=("limit", "format"))
    with pytest.raises(InvalidParameter) as long:
        check_names({"x" * 5000: "y" * 5000}, known=("limit",))
    assert len(str(long.value)) < 250

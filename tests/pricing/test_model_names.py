"""Exact before the longest prefix, and what a prefix may leave over."""

from __future__ import annotations

import pytest

from costtrack.pricing.model_names import is_of_one_version, match_name, version_of


@pytest.mark.parametrize(
    "text",
    [
        "m",
        "m-20250929",
        "m-2025-09-29",
        "m@20250929",
        "m-0613",
        "m-05-06",
        "m-09-2025",
        "m-001",
        "m@001",
        "m-latest",
        "m@default",
        "m-v1",
        "m-v2:0",
        "m-20250929-v1:0",
        "m-v2@20241022",
        "m:0",
        "m-v1:0:200k",
    ],
)
def test_a_date_a_version_or_latest_may_be_left_over(text: str) -> None:
    assert match_name(text, {"m": 1}) == 1


@pytest.mark.parametrize(
    "text",
    ["m-5", "m-4-5", "m-mini", "m-32k", "m-v2", "m-2402", "m-1399", "m-20251340", "m-preview", "m:free", "m.1", "mm"],
)
def test_nothing_else_may_be_left_over(text: str) -> None:
    assert match_name(text, {"m": 1}) is None


def test_the_exact_name_wins_over_a_prefix() -> None:
    assert match_name("gpt-4o-2024-05-13", {"gpt-4o": 1, "gpt-4o-2024-05-13": 2}) == 2


def test_the_longest_prefix_wins() -> None:
    assert match_name("m-20250101-v1:0", {"m": 1, "m-20250101": 2}) == 2


@pytest.mark.parametrize("text", ["m-20240513", "m-2024-05-13", "m@2024-05-13", "m@20240513"])
def test_a_date_is_the_same_however_it_is_spelled(text: str) -> None:
    assert match_name(text, {"m": 1, "m-2024-05-13": 2, "m-20240513": 2}) == 2


def test_a_dated_name_is_found_with_its_date_spelled_otherwise() -> None:
    assert match_name("m-20240513", {"m": 1, "m-2024-05-13": 2}) == 2
    assert match_name("m-2024-05-13", {"m": 1, "m-20240513": 2}) == 2


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("m", ""),
        ("m-20250929-v1:0", "-20250929-v1:0"),
        ("m-v2@20241022", "-v2@20241022"),
        ("m-0613", "-0613"),
        ("m-4-5", ""),
    ],
)
def test_the_version_of_an_id_is_all_that_may_be_left_over(text: str, version: str) -> None:
    assert version_of(text) == version


def test_a_year_and_month_is_a_version_but_none_to_leave_over() -> None:
    assert (is_of_one_version("m-2411"), version_of("m-2411")) == (True, "")
    assert is_of_one_version("m-0613")
    assert not is_of_one_version("m-1399")

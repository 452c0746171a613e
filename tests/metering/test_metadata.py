"""Metadata: always JSON, never deep, never big, and nothing in it raises."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costtrack.exceptions import InvalidUsage
from costtrack.metering.metadata import clean_metadata

LIMIT = 8192


class Response:
    """An SDK's response, whose text would be a whole answer."""

    def __repr__(self) -> str:
        return "Response(choices=[the answer])"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1, 1),
        (True, True),
        (None, None),
        (0.25, 0.25),
        ("a\x00b\nc", "ab\nc"),
        ("\ud800", "?"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (2**63, "[an integer of 64 bits]"),
        ([10**5000], ["[an integer of 16,610 bits]"]),
        (Decimal("0.10"), "0.10"),
        (date(2026, 11, 20), "2026-11-20"),
        (datetime(2026, 11, 20, 12, tzinfo=UTC), "2026-11-20T12:00:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/a/b"), "/a/b"),
        (b"\x00" * 1500, "[1,500 bytes]"),
        ((1, 2), [1, 2]),
        ({7}, [7]),
        ({1: "a", None: "b"}, {"1": "a", "": "b"}),
        (Response(), "[Response]"),
    ],
)
def test_each_kind_of_value_has_its_form(value: object, kept: object) -> None:
    cleaned = clean_metadata({"k": value}, LIMIT)
    assert cleaned == {"k": kept}
    assert type(cleaned["k"]) is type(kept)


def test_too_much_is_replaced_by_a_note_of_its_size() -> None:
    # {"k":"xxx"} is 8 bytes around the text.
    assert clean_metadata({"k": "x" * 8184}, LIMIT) == {"k": "x" * 8184}
    assert clean_metadata({"k": "x" * 8185}, LIMIT) == {"_dropped": "metadata of 8,193 bytes; the limit is 8,192"}
    huge = {"_dropped": "metadata of over 131,072 bytes; the limit is 8,192"}
    assert clean_metadata({"k": "x" * 10_000_000}, LIMIT) == huge
    assert clean_metadata({str(n): n for n in range(100_000)}, LIMIT) == huge
    assert clean_metadata({"k" * 1_000_000: 1}, LIMIT) == {"k" * 200: 1}


def test_what_is_nested_too_deep_becomes_a_note_and_the_rest_stays() -> None:
    deep: Any = "bottom"
    for _ in range(100_000):
        deep = [deep]
    cleaned = clean_metadata({"deep": deep, "temperature": 0.2}, LIMIT)
    assert cleaned["temperature"] == 0.2
    assert cleaned["deep"] == [[[[[[["[nested deeper than 8 levels]"]]]]]]]
    while deep != "bottom":  # taken apart here: the interpreter's own recursion over it would be the crash
        deep = deep[0]


def test_circles_end() -> None:
    circle: dict[str, Any] = {}
    circle.update({str(n): circle for n in range(50)})
    assert clean_metadata(circle, LIMIT) == {"_dropped": "metadata of over 131,072 bytes; the limit is 8,192"}


def test_keys_are_data_and_nothing_else() -> None:
    keys = {"__proto__": 1, "constructor": 2, "organization_id": 3, "cost": 4, "is_void": True}
    assert clean_metadata(keys, LIMIT) == keys


def test_only_a_mapping_is_metadata() -> None:
    assert clean_metadata(None, LIMIT) == {}
    assert clean_metadata({}, LIMIT) == {}
    with pytest.raises(InvalidUsage, match="metadata: got 'list'"):
        clean_metadata([1], LIMIT)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.decimals(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(st.characters()), ANYTHING, max_size=5))
def test_whatever_comes_in_what_comes_out_is_json_that_postgresql_takes(metadata: dict[str, Any]) -> None:
    text = orjson.dumps(clean_metadata(metadata, LIMIT))
    assert len(text) <= LIMIT
    assert b"\\u0000" not in text
    assert clean_metadata(orjson.loads(text), LIMIT) == orjson.loads(text)

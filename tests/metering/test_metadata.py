"""Metadata: always JSON, never deep, never big, no secret or prompt in it, and nothing in it raises."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
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
SECRET = "[redacted: secret]"
EMAIL = "[redacted: e-mail]"
CARD = "[redacted: card number]"
SEVEN = "[not stored: 7 characters]"


class Response:
    """An SDK's response, whose text would be a whole answer."""

    def __repr__(self) -> str:
        return "Response(choices=[the answer])"


class Kind(Enum):
    LABEL = "label"
    SENTENCE = "Be kind"


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
    huge = {"_dropped": "metadata of over 16,384 bytes; the limit is 8,192"}
    assert clean_metadata({"k": "x" * 10_000_000}, LIMIT) == huge
    assert clean_metadata({"k": ["x"] * 10_000_000}, LIMIT) == huge
    assert clean_metadata({"k" * 1_000_000: 1}, LIMIT) == {"k" * 200: 1}


def test_of_all_keys_the_first_200_stay_and_a_note_tells_of_the_others() -> None:
    cleaned = clean_metadata({str(n): n for n in range(100_000)}, LIMIT)
    assert cleaned == {**{str(n): n for n in range(200)}, "_dropped": "keys beyond the first 200: 99,800"}
    assert clean_metadata(cleaned, LIMIT) == cleaned
    assert "_dropped" not in clean_metadata({str(n): n for n in range(200)}, LIMIT)


def test_the_keys_of_all_levels_count() -> None:
    # 1 + 150 keys, then 1 + 48 of 150: 102 of the second mapping are too many, and "c".
    metadata = {"a": {str(n): 1 for n in range(150)}, "b": [{str(n): 1 for n in range(150)}], "c": 1}
    cleaned = clean_metadata(metadata, LIMIT)
    assert [len(cleaned["a"]), len(cleaned["b"][0]), "c" in cleaned] == [150, 48, False]
    assert cleaned["_dropped"] == "keys beyond the first 200: 103"
    assert clean_metadata(cleaned, LIMIT) == cleaned


def test_what_is_nested_too_deep_becomes_a_note_and_the_rest_stays() -> None:
    deep: Any = "bottom"
    for _ in range(100_000):
        deep = [deep]
    cleaned = clean_metadata({"deep": deep, "temperature": 0.2}, LIMIT)
    assert cleaned["temperature"] == 0.2
    assert cleaned["deep"] == [[[[[[["[nested deeper than 8 levels]"]]]]]]]
    while deep != "bottom":  # taken apart here: the interpreter's own recursion over it would be the crash
        deep = deep[0]


def test_mappings_nested_without_end_are_cut_too() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"k": deep}
    cleaned: Any = clean_metadata(deep, LIMIT)
    for _ in range(8):
        cleaned = cleaned["k"]
    assert cleaned == "[nested deeper than 8 levels]"
    while deep:
        deep = deep["k"]


def test_circles_end() -> None:
    circle: dict[str, Any] = {}
    circle.update({str(n): circle for n in range(50)})
    # Down to level 8: 7 keys on the way, then 50 and 50 and 50, and 43 of the last 50.
    assert clean_metadata(circle, LIMIT)["_dropped"] == "keys beyond the first 200: 350"
    wide: list[Any] = []
    wide.extend([wide] * 50)
    assert clean_metadata({"k": wide}, LIMIT) == {"_dropped": "metadata of over 16,384 bytes; the limit is 8,192"}


def test_keys_are_data_and_nothing_else() -> None:
    keys = {"__proto__": 1, "constructor": 2, "organization_id": 3, "cost": 4, "is_void": True}
    assert clean_metadata(keys, LIMIT) == keys


@pytest.mark.parametrize(
    ("metadata", "kept"),
    [
        ({"password": "x", "api_key": b"x", "n": 1}, {"password": SECRET, "api_key": SECRET, "n": 1}),
        ({"passcode": 1234, "token": 0.5}, {"passcode": SECRET, "token": SECRET}),
        ({"password": True, "token": None, "auth": ""}, {"password": True, "token": None, "auth": ""}),
        ({"credentials": {"user": "ann"}, "cookies": ["x"]}, {"credentials": SECRET, "cookies": SECRET}),
        ({"secrets": [], "session": {}}, {"secrets": [], "session": {}}),
        ({"token": Response(), "jwt": Kind.LABEL}, {"token": SECRET, "jwt": SECRET}),
        ({"max_tokens": 100, "prompt_tokens": 5}, {"max_tokens": 100, "prompt_tokens": 5}),
        ({"a": [{"b": {"password": "x"}}]}, {"a": [{"b": {"password": SECRET}}]}),
        ({"note": "password=x"}, {"note": f"password={SECRET}"}),
        ({"a": ["ann@example.com", ("x", "bob@example.com")]}, {"a": [EMAIL, ["x", EMAIL]]}),
        ({"card": 4111111111111111, "cards": ["4111 1111 1111 1111"]}, {"card": CARD, "cards": [CARD]}),
        (
            {"at_ns": 1732622400000000000, "id": 4111111111111112},
            {"at_ns": 1732622400000000000, "id": 4111111111111112},
        ),
        ({"path": PurePosixPath("/ann@example.com/x")}, {"path": f"/{EMAIL}/x"}),
        ({"cut": "pass\x00word=x"}, {"cut": f"password={SECRET}"}),
    ],
)
def test_secrets_addresses_and_cards_become_notes(metadata: dict[str, Any], kept: dict[str, Any]) -> None:
    assert clean_metadata(metadata, LIMIT) == kept
    assert clean_metadata(kept, LIMIT) == kept


@pytest.mark.parametrize(
    ("metadata", "kept"),
    [
        ({"prompt": "Tell me"}, {"prompt": "[not stored: 7 characters]"}),
        ({"completion": "x" * 1234}, {"completion": "[not stored: 1,234 characters]"}),
        ({"messages": [{"role": "user", "content": "Hi"}]}, {"messages": "[not stored: 1 item]"}),
        ({"message": {"role": "user", "content": "Hi"}}, {"message": "[not stored: 2 fields]"}),
        ({"prompt": Kind.SENTENCE}, {"prompt": "[not stored: 7 characters]"}),
        ({"prompt": b"Tell me"}, {"prompt": "[7 bytes]"}),
        ({"answer": Response()}, {"answer": "[Response]"}),
        ({"messages": 12, "prompt": None, "answer": False}, {"messages": 12, "prompt": None, "answer": False}),
        ({"messages": [], "prompt": ""}, {"messages": [], "prompt": ""}),
        ({"system": "openai", "response": "ok"}, {"system": "openai", "response": "ok"}),
        ({"system": "Be kind", "input": [1, 2]}, {"system": SEVEN, "input": "[not stored: 2 items]"}),
        (
            {"request": {"model": "gpt-4o", "n": 1, "stop": "The end", "more": {"x": "Be kind"}, "messages": [{}]}},
            {
                "request": {
                    "model": "gpt-4o",
                    "n": 1,
                    "stop": SEVEN,
                    "more": {"x": SEVEN},
                    "messages": "[not stored: 1 item]",
                }
            },
        ),
        (
            {"request": {"api_key": "x", "headers": ["x"]}},
            {"request": {"api_key": SECRET, "headers": "[not stored: 1 item]"}},
        ),
        ({"body": '{"content": "Be kind"}'}, {"body": "[not stored: 22 characters]"}),
        ({"sent": '{"content": "Be kind"}'}, {"sent": f'{{"content": "{SEVEN}"}}'}),
        ({"a": {"b": [{"prompt": "Be kind"}]}}, {"a": {"b": [{"prompt": SEVEN}]}}),
    ],
)
def test_prompts_and_answers_become_notes_of_their_size(metadata: dict[str, Any], kept: dict[str, Any]) -> None:
    assert clean_metadata(metadata, LIMIT) == kept
    assert clean_metadata(kept, LIMIT) == kept


def test_a_prompt_of_any_size_costs_the_metadata_beside_it_nothing() -> None:
    cleaned = clean_metadata({"prompt": "x" * 10_000_000, "temperature": 0.2}, LIMIT)
    assert cleaned == {"prompt": "[not stored: 10,000,000 characters]", "temperature": 0.2}


def test_what_a_request_nests_too_deep_is_not_stored_either() -> None:
    request: dict[str, Any] = {"x": 1}
    for _ in range(10):
        request = {"x": request}
    cleaned = clean_metadata({"request": request}, LIMIT)
    assert orjson.dumps(cleaned).count(b"[not stored: 29 characters]") == 1
    assert clean_metadata(cleaned, LIMIT) == cleaned


def test_keys_are_redacted_and_stay_apart() -> None:
    keys = {"ann@example.com": 1, "bob@example.com": 2, "password=x": 3, 7: 4, "7": 5, "k" * 200 + "a": 6, "k" * 201: 7}
    cleaned = clean_metadata(keys, LIMIT)
    assert cleaned == {
        EMAIL: 1,
        f"{EMAIL} (2)": 2,
        f"password={SECRET}": SECRET,
        "7": 4,
        "7 (2)": 5,
        "k" * 200: 6,
        "k" * 200 + " (2)": 7,
    }
    assert clean_metadata(cleaned, LIMIT) == cleaned


def test_a_key_is_redacted_before_it_is_cut() -> None:
    # Cut first, the last 8 characters would not be known as a password any more.
    assert clean_metadata({"k" * 180 + " postgres://app:notreal@db/x": 1}, LIMIT) == {
        "k" * 180 + " postgres://[redacted: password]@db/x"[:20]: 1
    }


def test_only_a_mapping_is_metadata() -> None:
    assert clean_metadata(None, LIMIT) == {}
    assert clean_metadata({}, LIMIT) == {}
    with pytest.raises(InvalidUsage, match="metadata: got 'list'"):
        clean_metadata([1], LIMIT)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.decimals(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text(st.characters()) | st.integers() | st.sampled_from(["prompt", "text", "password"]), inner
        )
    ),
    max_leaves=6,
)


NAMES = st.text(st.characters()) | st.sampled_from(["prompt", "system", "request", "token", "a@b.co", "_dropped"])


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, ANYTHING, max_size=5))
def test_whatever_comes_in_what_comes_out_is_json_that_postgresql_takes(metadata: dict[str, Any]) -> None:
    text = orjson.dumps(clean_metadata(metadata, LIMIT))
    assert len(text) <= LIMIT
    assert b"\\u0000" not in text
    assert clean_metadata(orjson.loads(text), LIMIT) == orjson.loads(text)

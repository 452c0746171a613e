"""What a provider sends is never an error: usable values are taken, others are clamped or named."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any
from unittest.mock import MagicMock

import pytest

from costtrack.domain.tokens import TokenUsage
from costtrack.extraction import Extracted, extract
from costtrack.extraction.counts import whole_number


@pytest.mark.parametrize("value", [12, 12.0, "12", " 12 ", "12.0", "1.2e1", Decimal(12), Decimal("12.000")])
def test_a_count_may_come_as_any_number(value: object) -> None:
    found = extract({"usage": {"prompt_tokens": value, "completion_tokens": 1}})
    assert (found.tokens, found.is_adjusted) == (TokenUsage(input_tokens=12, output_tokens=1), False)
    assert type(found.tokens.input_tokens) is int


ABSURD = [
    "NaN",
    "sNaN",
    "Infinity",
    "",
    "many",
    "1" * 5000,
    -5,
    -1.0,
    12.5,
    float("nan"),
    float("inf"),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("1e999999"),
    10**11 + 1,
    10**5000,
    True,
    False,
    [],
    {},
    b"12",
    object(),
]


@pytest.mark.parametrize("value", ABSURD, ids=range(len(ABSURD)))
def test_an_absurd_whole_makes_the_usage_unknown_and_is_named(value: object) -> None:
    found = extract({"model": "m", "usage": {"prompt_tokens": value, "completion_tokens": 1}})
    assert found.tokens is None
    assert found.model == "m"
    assert len(found.problems) == 1
    assert found.problems[0].startswith("prompt_tokens is ")
    assert len(found.problems[0]) < 80


@pytest.mark.parametrize("value", ABSURD, ids=range(len(ABSURD)))
def test_an_absurd_part_counts_as_nothing(value: object) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": value}}
    found = extract({"usage": usage})
    assert found.tokens == TokenUsage(input_tokens=9, output_tokens=1)
    assert found.is_adjusted
    assert len(found.problems) == 1


def test_an_absurd_count_of_cached_tokens_makes_anthropics_input_unknown() -> None:
    """There it is a summand of the input, not a part of it."""
    usage = {"input_tokens": 3, "cache_read_input_tokens": -1, "output_tokens": 1}
    found = extract({"type": "message", "usage": usage})
    assert found.tokens is None
    assert found.problems == ("cache_read_input_tokens is -1",)


def test_a_part_above_its_whole_is_clamped_and_named() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 50},
    }
    found = extract({"usage": usage})
    assert found.tokens == TokenUsage(
        input_tokens=10, output_tokens=5, cache_read_tokens=8, input_audio_tokens=2, reasoning_tokens=5
    )
    assert found.is_adjusted
    assert found.problems == (
        "input_audio_tokens 8 is more than is left of input_tokens 10, taken as 2",
        "reasoning_tokens 50 is more than is left of output_tokens 5, taken as 5",
    )


def test_a_sum_beyond_the_largest_count_is_unknown() -> None:
    usage = {"input_tokens": 10**11, "cache_read_input_tokens": 10**11, "output_tokens": 1}
    found = extract({"usage": usage})
    assert (found.tokens, found.problems) == (None, ("more than 100,000,000,000 tokens",))


@pytest.mark.parametrize(
    "response", ["text", b"bytes", None, 7, 1.5, True, [], [1], (), {}, object(), Exception("x"), Extracted, print]
)
def test_anything_at_all_may_be_extracted(response: object) -> None:
    assert extract(response, provider="p", model="m") == Extracted(provider="p", model="m")


@pytest.mark.parametrize("usage", ["lots", 7, [], [1], {}, {"x": 1}, True, object()])
def test_a_usage_without_counts_is_no_usage_and_named(usage: object) -> None:
    found = extract({"model": "m", "usage": usage})
    assert found.tokens is None
    assert len(found.problems) == 1


def test_a_body_without_usage_has_no_tokens_and_no_problem() -> None:
    found = extract({"id": "chatcmpl-1", "model": "gpt-4o", "choices": [{"finish_reason": "stop"}], "usage": None})
    assert found == Extracted(model="gpt-4o", response_id="chatcmpl-1", finish_reason="stop")


def test_a_property_that_raises_is_a_field_that_is_not_there() -> None:
    class Lazy:
        model = "m"

        @property
        def usage(self) -> Any:
            raise RuntimeError("not loaded")

    assert extract(Lazy()) == Extracted(model="m")


def test_a_mock_has_no_tokens() -> None:
    assert extract(MagicMock()).tokens is None


def test_a_response_that_holds_itself_ends() -> None:
    body: dict[str, Any] = {}
    body["response"] = body["message"] = body["body"] = body["result"] = body
    assert extract(body).tokens is None


def test_prompts_and_completions_are_never_touched() -> None:
    class Message:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"{name} was read")

    body = {
        "model": "m",
        "choices": [{"message": Message(), "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
    }
    assert extract(body).tokens == TokenUsage(input_tokens=3, output_tokens=4)


def test_the_ambient_decimal_context_changes_nothing() -> None:
    """0.123456789 + 0.876543210 = 0.999999999."""
    usage = {
        "prompt_tokens": "1234567",
        "completion_tokens": 1,
        "cost": 0.123456789,
        "is_byok": True,
        "cost_details": {"upstream_inference_cost": 0.876543210},
    }
    with localcontext() as context:
        context.prec = 3
        found = extract({"usage": usage})
    assert found.tokens == TokenUsage(input_tokens=1_234_567, output_tokens=1)
    assert found.reported_cost_usd == Decimal("0.999999999")


def test_an_integer_of_a_foreign_kind_becomes_a_plain_one() -> None:
    class Count(int):
        pass

    assert type(whole_number(Count(3))) is int

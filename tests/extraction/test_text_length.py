"""The characters of a request, by which its tokens are estimated."""

from __future__ import annotations

from typing import Any

import pytest

from costtrack.extraction import text_length
from tests.extraction.shapes import every_shape

IMAGE = "data:image/png;base64," + "iVBORw0KGgo" * 100

REQUESTS: dict[str, tuple[Any, int]] = {
    # "Be brief." 9 + "Hello" 5
    "chat": ([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}], 14),
    "an image counts nothing": (
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": IMAGE}}],
            }
        ],
        5,
    ),
    # find 4 + {"a":1} 7, then 5
    "tool calls": (
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"function": {"name": "find", "arguments": '{"a":1}'}}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "found"},
        ],
        16,
    ),
    # thought 7 + find 4 + city 4 + Rome 4 + sunny 5
    "anthropic": (
        [
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "thought", "signature": "Eq" * 99}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "find", "input": {"city": "Rome"}}],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "sunny"}]}
                ],
            },
            {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": IMAGE}}]},
        ],
        24,
    ),
    "gemini": ([{"role": "user", "parts": [{"text": "Hello"}, {"inlineData": {"data": IMAGE}}]}], 5),
    "converse": ([{"role": "user", "content": [{"text": "Hello"}, {"toolResult": {"content": [{"text": "42"}]}}]}], 7),
    "responses": (
        [
            {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
            {"type": "function_call_output", "call_id": "c", "output": "42"},
        ],
        7,
    ),
    # find 4 + by name 7 + city 4 + type 4 + string 6
    "tools": (
        [
            {
                "type": "function",
                "function": {"name": "find", "description": "by name", "parameters": {"city": {"type": "string"}}},
            }
        ],
        25,
    ),
}


@every_shape
@pytest.mark.parametrize("name", REQUESTS)
def test_the_text_of_a_request_is_counted_and_nothing_else(name: str, shape: Any) -> None:
    request, length = REQUESTS[name]
    if name in ("tools", "anthropic") and shape.__name__ != "as_dict":
        return  # their arguments are data, which no SDK makes objects of
    assert text_length(shape(request)) == length


def test_prompts_are_counted_alone_and_in_lists() -> None:
    assert text_length("Hello") == 5
    assert text_length(["Hello", "you"]) == 8
    assert [text_length(value) for value in (None, 7, b"raw", IMAGE.encode(), object(), [1, 2, 3], {})] == [0] * 7


def test_no_input_holds_up_its_caller() -> None:
    circle: list[Any] = ["ab"]
    circle.append(circle)
    assert 2 <= text_length(circle) <= 40
    assert text_length(["a"] * 300_000) <= 300_000
    deep: Any = "Hello"
    for _ in range(100_000):
        deep = {"content": deep}
    assert text_length(deep) == 0


def test_an_iterator_of_messages_is_not_consumed() -> None:
    messages = iter([{"content": "Hello"}])
    assert text_length(messages) == 0
    assert next(messages) == {"content": "Hello"}

"""How much text there is in a request's messages or a tool call's arguments; the text itself is not kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from costtrack.extraction.fields import read

MAX_DEPTH = 16
MAX_VALUES = 100_000
"""What is nested deeper, or comes later, is not counted: no request may hold up its caller."""

_PLACES = frozenset(
    (
        "content",
        "parts",
        "tool_calls",
        "function",
        "function_call",
        "functionCall",
        "function_response",
        "functionResponse",
        "toolUse",
        "toolResult",
        "reasoningContent",
        "reasoningText",
    )
)
"""Where the messages of the providers have their text, or something that has it."""

_TEXTS = frozenset(
    (
        "text",
        "thinking",
        "reasoning_content",
        "refusal",
        "name",
        "description",
        "arguments",
        "args",
        "input",
        "output",
        "response",
        "json",
        "parameters",
        "input_schema",
    )
)
"""Where they have text, or data that the model reads as text. Images, audio and files stand elsewhere."""


def text_length(value: object, *, count: Callable[[str], int] = len) -> int:
    """The characters of the text in a prompt, a message, a list of them, or a tool's definition. Never raises.

    Messages of any maker, as dicts or as objects. Images, audio and files have no characters: they are left out.
    With `count` the sum of what it gives for each text, such as its tokens; what that raises is raised.
    """
    return _Walk(count).message(value, MAX_DEPTH)


def data_length(value: object) -> int:
    """The characters of all texts in nested data, its keys included: a tool call's arguments that came parsed."""
    return _Walk().data(value, MAX_DEPTH)


class _Walk:
    """One pass through nested values, of a bounded length."""

    def __init__(self, count: Callable[[str], int] = len) -> None:
        self._left = MAX_VALUES
        self._count = count

    def message(self, value: object, depth: int) -> int:
        """What of `value` is text, by the names of its fields."""
        if isinstance(value, str):
            return self._count(value)
        if not self._goes_on(value, depth):
            return 0
        if isinstance(value, (list, tuple)):
            return sum(self.message(member, depth - 1) for member in value[: self._left])
        named = value.items() if type(value) is dict else [(name, read(value, name)) for name in _PLACES | _TEXTS]
        length = 0
        for name, member in named:
            if name in _PLACES:
                length += self.message(member, depth - 1)
            elif name in _TEXTS:
                length += self.data(member, depth - 1)
        return length

    def data(self, value: object, depth: int) -> int:
        """All of it."""
        if isinstance(value, str):
            return self._count(value)
        if not self._goes_on(value, depth):
            return 0
        if isinstance(value, (list, tuple)):
            return sum(self.data(member, depth - 1) for member in value[: self._left])
        if type(value) is dict:
            return sum(
                (self._count(name) if isinstance(name, str) else 0) + self.data(member, depth - 1)
                for name, member in value.items()
            )
        return self.message(value, depth) if isinstance(value, Mapping) else 0

    def _goes_on(self, value: object, depth: int) -> bool:
        self._left -= 1
        return depth > 0 and self._left > 0 and not isinstance(value, (int, float, bytes, bytearray, type(None)))

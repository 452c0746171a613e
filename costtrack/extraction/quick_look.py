"""Chunks that are told by a look at a few of their fields: mere text, and what OpenAI's chat ends with.

Nearly all chunks are one of these, and each is looked at while the caller waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costtrack.extraction.locate import Located
from costtrack.extraction.openai_usage import is_chat_usage, read_chat

_CONTENT_EVENTS = ("content_block", "content-", "tool-")
"""Events that carry text only: Anthropic's and Cohere's; OpenAI's end in `.delta`."""

TEXT_EVENTS = frozenset(
    (
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "response.output_text.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.function_call_arguments.delta",
    )
)
"""Of those the most frequent, so that they are told at once."""


def is_content(kind: str) -> bool:
    """Whether an event of this type carries text only."""
    return kind.startswith(_CONTENT_EVENTS) or kind.endswith(".delta")


def is_text_event(fields: Mapping[str, Any]) -> bool:
    """Whether an event tells by its type that it carries text only, or nothing else than its type."""
    kind = fields.get("type")
    return type(kind) is str and (is_content(kind) or len(fields) == 1)


def is_text_of_chat(chunk: Any, fields: Mapping[str, Any]) -> bool:
    """Whether a chunk with `choices`, a dict or object of OpenAI's chat, has one choice that goes on, and no counts."""
    is_dict = type(chunk) is dict
    choices = fields["choices"]
    if type(choices) is not list or len(choices) != 1 or fields.get("usage", not is_dict) is not None:
        return False
    extra = None if is_dict else getattr(chunk, "__pydantic_extra__", None)
    if "x_groq" in fields or (extra and "x_groq" in extra):
        return False
    choice = choices[0]
    ends = choice if type(choice) is dict else getattr(choice, "__dict__", None)
    return ends is not None and ends.get("finish_reason", not is_dict) is None


def counts_of_chat(chunk: object) -> Located | None:
    """The counts in what OpenAI's SDK gives last: a chunk without choices. None of any other."""
    fields = getattr(chunk, "__dict__", None)
    if fields is None or fields.get("choices") != []:
        return None
    usage = fields.get("usage")
    return Located(read_chat, usage, chunk) if is_chat_usage(usage) else None


def ending_of_chat(chunk: object) -> str:
    """Why the answer ends, by what OpenAI's SDK gives before the counts: one choice, with that reason and nothing else.

    "" of any other chunk, also of one that still carries text.
    """
    fields = getattr(chunk, "__dict__", None)
    choices = None if fields is None else fields.get("choices")
    if fields is None or type(choices) is not list or len(choices) != 1 or fields.get("usage", chunk) is not None:
        return ""
    choice = getattr(choices[0], "__dict__", None)
    if choice is None or getattr(chunk, "__pydantic_extra__", None):
        return ""
    reason, delta = choice.get("finish_reason"), choice.get("delta")
    parts = getattr(delta, "__dict__", None)
    if type(reason) is not str or parts is None or any(parts.values()) or getattr(delta, "__pydantic_extra__", None):
        return ""
    return reason

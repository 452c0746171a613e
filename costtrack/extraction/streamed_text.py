"""How much text came with the chunks of a stream: what it used, when its provider does not say so.

Only numbers of characters are kept, never the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from costtrack.extraction.fields import items, read, read_first
from costtrack.extraction.text_length import data_length

_DELTA_FIELDS = (
    "content",
    "refusal",
    "reasoning_content",
    "reasoning",
    "thinking",
    "tool_calls",
    "tool_call_chunks",
    "function_call",
    "audio",
)
_SERVER_SENT = ("data:", "event:", "id:", "retry:", ":", "[DONE]")
"""Lines of a raw event stream. They are not parsed: what a model wrote must not pass for its provider's word."""

_NO_EXTRA = object()
_WHOLE_TEXTS = ("response", "generation", "outputText")
"""Text at the top of a chunk: Ollama's generate; Llama and Titan on Bedrock."""


class ArrivedText(NamedTuple):
    """What of a stream has come, in characters."""

    characters: int = 0
    """Content, reasoning, and the names and arguments of tool calls."""
    reasoning_characters: int = 0
    """The part of them that was told apart as reasoning."""
    is_any: bool = False
    """At least one chunk has come, with text or without."""
    has_usage: bool = False
    """The provider told usage, and not only in Anthropic's first event, where the output still is 1."""


class TextCounter:
    """Counts the text in events of all the formats that `StreamUsage` knows."""

    __slots__ = ("characters", "reasoning_characters")

    def __init__(self) -> None:
        self.characters = 0
        self.reasoning_characters = 0

    def plain(self, text: str) -> None:
        """A chunk that is text itself: a function that yields the pieces of an answer."""
        if not text.startswith(_SERVER_SENT) and not (text.startswith('{"') and text.rstrip().endswith("}")):
            self.characters += len(text)

    def choices(self, choices: object) -> None:
        """OpenAI's chat and completions, and all who speak them."""
        for choice in items(choices):
            delta = read(choice, "delta")
            if delta is None:
                self._content(read(choice, "text"))
                delta = read(choice, "message")
            self._delta(delta)

    def typed(self, event: object, kind: str) -> None:
        """An event that carries text only, by its type: Anthropic's, Cohere's, OpenAI's responses."""
        delta = read(event, "delta")
        if kind.startswith("content_block"):
            text = read_first(delta, "text", "partial_json")
            if text is not None:
                self._content(text)
            elif kind == "content_block_start":
                self._content(read_first(read(event, "content_block"), "name", "text"))
            else:
                self._reasoning(read(delta, "thinking"))
        elif kind.endswith(".delta"):
            if kind.endswith("audio.delta") or kind.startswith("conversation."):
                return  # sound; what the user said
            if "reasoning" in kind:
                self._reasoning(delta)
            else:
                self._content(delta)
        else:
            message = read(delta, "message")
            self._content(read(message, "content"))
            self._content(read(message, "tool_plan"))
            self._tool_call(read(message, "tool_calls"))

    def untyped(self, event: object) -> None:
        """Any other chunk: Gemini, Bedrock's Converse, Ollama, models on Bedrock, Cohere's first version, LangChain."""
        candidates = read(event, "candidates")
        if candidates is not None:
            for candidate in items(candidates):
                for part in items(read(read(candidate, "content"), "parts")):
                    self._gemini_part(part)
            return
        message = read(event, "message")
        self._delta(event if message is None else message)
        if message is not None or read(event, "content") is not None:
            return
        for name in _WHOLE_TEXTS:
            self.characters += _length(read(event, name))
        for output in items(read(event, "outputs")):
            self._content(read(output, "text"))
        kind = read(event, "event_type")
        if kind is None or kind == "text-generation":
            self._content(read_first(event, "text", "token"))
        elif kind == "tool-calls-chunk":
            self._content(read(read(event, "tool_call_delta"), "parameters"))

    def converse(self, delta: object) -> None:
        """The delta of a content block of Bedrock's Converse, or of Nova."""
        self._content(read(delta, "text"))
        self._reasoning(read(read(delta, "reasoningContent"), "text"))
        self._content(read(read(delta, "toolUse"), "input"))

    def _delta(self, delta: object) -> None:
        reasoning = 0
        for name, value in _present(delta, _DELTA_FIELDS):
            if value is None or name not in _DELTA_FIELDS:
                continue
            if name in ("content", "refusal"):
                self._content(value)
            elif name in ("tool_calls", "tool_call_chunks"):
                for call in items(value):
                    self._tool_call(call)
            elif name == "function_call":
                self._tool_call(value)
            elif name == "audio":
                self._content(read(value, "transcript"))
            else:
                # The same reasoning under two names, as some servers send it, is one.
                reasoning = max(reasoning, _length(value))
        self.characters += reasoning
        self.reasoning_characters += reasoning

    def _content(self, content: object) -> None:
        if content is None:
            return
        if isinstance(content, str):
            self.characters += len(content)
        elif isinstance(content, (list, tuple)):
            for part in content:
                self._part(part)
        else:
            self._part(content)

    def _part(self, part: object) -> None:
        if isinstance(part, str):
            self.characters += len(part)
            return
        self.characters += _length(read(part, "text"))
        self._reasoning(read(part, "thinking"))

    def _reasoning(self, thinking: object) -> None:
        length = _length(thinking)
        self.characters += length
        self.reasoning_characters += length

    def _tool_call(self, call: object) -> None:
        function = read(call, "function")
        function = call if function is None else function
        for value in (read(function, "name"), read_first(function, "arguments", "args")):
            self.characters += data_length(value)

    def _gemini_part(self, part: object) -> None:
        text = read(part, "text")
        if isinstance(text, str):
            if read(part, "thought") is True:
                self._reasoning(text)
            else:
                self.characters += len(text)
        else:
            self._tool_call(read_first(part, "functionCall", "function_call"))
            self._content(read(read_first(part, "executableCode", "executable_code"), "code"))


def _length(text: object) -> int:
    """Of a text, or of the texts in a list of parts."""
    if isinstance(text, str):
        return len(text)
    return sum(len(value) for value in (read(part, "text") for part in items(text)) if isinstance(value, str))


def _present(source: object, names: tuple[str, ...]) -> Iterable[tuple[Any, Any]]:
    """The fields that there are: a delta has few of the many that it might have, and to miss one costs most."""
    if source is None or isinstance(source, (str, int, float, bytes, list, tuple)):
        return ()
    if type(source) is dict:
        return source.items()
    extra = getattr(source, "__pydantic_extra__", _NO_EXTRA)
    if extra is not _NO_EXTRA:  # read one by one, with their fallbacks, the names would take half of a chunk's time
        fields = vars(source)
        return [*fields.items(), *extra.items()] if isinstance(extra, dict) else fields.items()
    return [(name, read(source, name)) for name in names]

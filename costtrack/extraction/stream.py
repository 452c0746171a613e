"""What a stream used: read from its chunks as they pass, without keeping them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from costtrack.extraction.bedrock_usage import read_metrics
from costtrack.extraction.counts import whole_number
from costtrack.extraction.extracted import Extracted
from costtrack.extraction.fields import items, read
from costtrack.extraction.locate import Located, locate
from costtrack.extraction.origin import choose_model, finish_reason_of, reported_model, response_id_of
from costtrack.extraction.response import extract
from costtrack.extraction.streamed_text import ArrivedText, TextCounter

_ANTHROPIC_EVENTS = ("message_start", "message_delta", "message_stop")
_CONTENT_EVENTS = ("content_block", "content-", "tool-")
"""Events that carry text only: Anthropic's and Cohere's; OpenAI's end in `.delta`."""

_ANTHROPIC_USAGE = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "output_tokens_details",
    "iterations",
    "service_tier",
    "speed",
)


def extract_stream(chunks: Iterable[object], *, provider: str = "", model: str = "") -> Extracted:
    """What the stream with these chunks or events used; tokens are None if no chunk carried usage."""
    stream = StreamUsage(provider=provider, model=model)
    for chunk in chunks:
        stream.add(chunk)
    return stream.result()


class StreamUsage:
    """Takes the chunks of one stream as they pass; `result()` is right at any time, also of a broken stream.

    Counts in streams are cumulative, so the last chunk with usage tells all of it. Only Anthropic spreads them
    over events: input and cache in the first, output in the last. For streams that end without usage it counts the
    characters of the text that came, and keeps none of it.
    """

    def __init__(self, *, provider: str = "", model: str = "") -> None:
        self._provider = provider
        self._given_model = model
        self._model = ""
        self._response_id = ""
        self._finish_reason = ""
        self._last_with_usage: object = None
        self._anthropic: dict[str, object] | None = None
        self._text = TextCounter()
        self._is_any = False
        self._has_usage = False

    def add(self, chunk: object) -> None:
        """Notes what this chunk tells, in a few microseconds. Never raises on what a provider sent."""
        event = _decoded(chunk)
        self._is_any = True
        if isinstance(event, str):
            self._text.plain(event)
            return
        kind = read(event, "type")
        kind = kind if isinstance(kind, str) else ""
        if kind and (kind.startswith(_CONTENT_EVENTS) or kind.endswith(".delta")):
            self._text.typed(event, kind)
            return
        choices = read(event, "choices")
        if choices is None and not kind:
            block = read(event, "contentBlockDelta")
            if block is not None:
                self._text.converse(read(block, "delta"))
                return
            if read(read(event, "data"), "choices") is not None:  # Mistral's SDK
                event = read(event, "data")
                choices = read(event, "choices")
        if choices is not None:
            self._text.choices(choices)
        elif not kind or kind == "AIMessageChunk":
            self._text.untyped(event)
        self._note(event, kind, is_text=_is_text_chunk(event, choices))

    @property
    def arrived(self) -> ArrivedText:
        """How much text has come so far."""
        text = self._text
        return ArrivedText(text.characters, text.reasoning_characters, self._is_any, self._has_usage)

    def _note(self, event: object, kind: str, *, is_text: bool) -> None:
        located = None if is_text else locate(event)
        body = located.body if located else event
        if kind == "message_start":
            body = read(event, "message")
        self._model = self._model or reported_model(event, body)
        self._response_id = self._response_id or response_id_of(event, body)
        finish_reason = finish_reason_of(body)
        if not finish_reason and not is_text:
            finish_reason = finish_reason_of(read(event, "delta")) or finish_reason_of(read(event, "messageStop"))
        self._finish_reason = finish_reason or self._finish_reason
        if located is not None:
            self._has_usage = self._has_usage or kind != "message_start"
            self._keep(event, located)

    def result(self) -> Extracted:
        """What the chunks so far tell."""
        source = self._last_with_usage
        if self._anthropic is not None:
            source = {
                "type": "message",
                "id": self._response_id,
                "model": self._model,
                "usage": self._anthropic,
            }
        found = extract(source, provider=self._provider)
        return replace(
            found,
            model=choose_model(reported=found.model or self._model, given=self._given_model, provider=found.provider),
            response_id=found.response_id or self._response_id,
            finish_reason=found.finish_reason or self._finish_reason,
        )

    def _keep(self, event: object, located: Located) -> None:
        if located.read_tokens is not read_metrics and read(event, "type") in _ANTHROPIC_EVENTS:
            self._anthropic = self._anthropic or {}
            _merge_anthropic(self._anthropic, located.usage)
        else:
            self._last_with_usage = event


def _is_text_chunk(event: object, choices: object) -> bool:
    """Whether this is one of the many chunks of OpenAI's chat format, or Ollama's, that carry text and no usage."""
    if choices is None:
        return read(event, "done") is False
    return any(True for _ in items(choices)) and read(event, "usage") is None and read(event, "x_groq") is None


def _merge_anthropic(merged: dict[str, object], usage: object) -> None:
    """Lays a later event's usage over the earlier ones'. Counts are cumulative, so the larger one stands.

    Some servers send the input as 0 in the first event, others in the last.
    """
    for name in _ANTHROPIC_USAGE:
        value = read(usage, name)
        if value is None:
            continue
        later, earlier = whole_number(value), whole_number(merged.get(name))
        if later is None or earlier is None or later > earlier:
            merged[name] = value


def _decoded(chunk: object) -> object:
    """The event inside a chunk of Bedrock's InvokeModelWithResponseStream, which is JSON in bytes."""
    raw = read(read(chunk, "chunk"), "bytes")
    if not isinstance(raw, bytes):
        return chunk
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None

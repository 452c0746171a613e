"""What a stream used: read from its chunks as they pass, without keeping them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from costtrack.domain.frozen import frozen_from
from costtrack.extraction.anthropic_stream import ANTHROPIC_EVENTS, COUNTING_EVENTS, counted_in, merge_usage
from costtrack.extraction.anthropic_usage import read_anthropic
from costtrack.extraction.bedrock_usage import read_metrics
from costtrack.extraction.counts import UsageReader
from costtrack.extraction.extracted import Extracted
from costtrack.extraction.fields import may_have, read, read_first, read_text
from costtrack.extraction.locate import Located, locate
from costtrack.extraction.openai_usage import read_chat
from costtrack.extraction.origin import (
    choose_model,
    finish_reason_of,
    is_of_litellm,
    litellm_call_id_of,
    provider_of,
    reported_model,
    response_id_of,
)
from costtrack.extraction.quick_look import counts_of_chat, ending_of_chat, is_content, is_text_event, is_text_of_chat
from costtrack.extraction.reported_cost import COSTS
from costtrack.extraction.response import found_in
from costtrack.extraction.service_tier import service_tier_of
from costtrack.extraction.streamed_text import ArrivedText, TextCounter

_INNER = frozenset(("delta", "messageStop"))


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

    def __init__(self, *, provider: str = "", model: str = "", stream: object = None) -> None:
        """`stream` is the SDK's object, if it is known."""
        self._litellm_call_id = "" if stream is None else litellm_call_id_of(stream)
        self._is_of_litellm = stream is not None and is_of_litellm(stream)
        self._provider = provider
        self._given_model = model
        self._model = ""
        self._response_id = ""
        self._finish_reason = ""
        self._last_with_usage: object = None
        self._located: Located | None = None
        self._anthropic: dict[str, object] | None = None
        self._text = TextCounter()
        self._is_any = False
        self._has_usage = False

    def add(self, chunk: object) -> None:
        """Notes what this chunk tells, in a few microseconds. Never raises on what a provider sent."""
        told: Any = getattr(chunk, "__dict__", None)
        if told is not None and type(told.get("type")) is str and told["type"] in COUNTING_EVENTS:
            self._begin(chunk)
            if self._counted(chunk, told["type"]):
                return
        elif self._model and self._response_id:
            located = counts_of_chat(chunk)
            if located is not None:
                self._has_usage, self._last_with_usage, self._located = True, chunk, located
                return
            finish_reason = ending_of_chat(chunk)
            if finish_reason:
                self._finish_reason = finish_reason
                return
        wrapped = read(chunk, "chunk")
        event = chunk if wrapped is None else _decoded(chunk, wrapped)
        self._begin(chunk)
        if isinstance(event, str):
            self._text.plain(event)
            return
        kind = read(event, "type")
        kind = kind if isinstance(kind, str) else ""
        if kind:
            if is_content(kind):
                self._text.typed(event, kind)
                return
            if kind in COUNTING_EVENTS and self._counted(event, kind):
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
            if choices:
                self._text.choices(choices)
        elif not kind or kind == "AIMessageChunk":
            self._text.untyped(event)
        self._note(event, kind, is_text=_is_text_chunk(event, choices))

    def is_mere_text(self, chunk: Any) -> bool:
        """Whether this is one of the many chunks that carry text and nothing else, by a look at a few of its fields.

        Such a chunk may be added later, or not at all if the provider tells the counts: `result` is the same. What is
        no event with a telling type, and no dict or object of OpenAI's chat, is not known to be one. Nor is the first
        chunk, unless it has the model and the id where OpenAI has them: these are noted.
        """
        fields = chunk if type(chunk) is dict else getattr(chunk, "__dict__", None)
        if fields is None:
            return False
        if fields.get("choices") is None:
            return is_text_event(fields)
        if not is_text_of_chat(chunk, fields):
            return False
        return (self._model != "" and self._response_id != "") or self._is_told_origin(chunk, fields)

    def _is_told_origin(self, chunk: object, fields: Mapping[str, Any]) -> bool:
        model, response_id = fields.get("model"), fields.get("id")
        if self._model or self._response_id or not (type(model) is str and type(response_id) is str):
            return False
        if not model or not response_id or "ResponseMetadata" in fields:
            return False
        self._begin(chunk)
        self._model, self._response_id = model, response_id
        return True

    def _begin(self, chunk: object) -> None:
        if not self._is_any:
            self._is_any = True
            self._is_of_litellm = self._is_of_litellm or is_of_litellm(chunk)

    @property
    def arrived(self) -> ArrivedText:
        """How much text has come so far."""
        text = self._text
        return ArrivedText(text.characters, text.reasoning_characters, self._is_any, self._has_usage)

    def _counted(self, event: object, kind: str) -> bool:
        """Whether this is one of the two events that Anthropic's counts are spread over; they are noted."""
        body, usage = counted_in(event, kind)
        if body is None:
            return False
        if body is event:
            self._has_usage = True
            self._finish_reason = read_text(read(event, "delta"), "stop_reason") or self._finish_reason
        else:
            self._model = self._model or read_text(body, "model")
            self._response_id = self._response_id or read_text(body, "id")
        self._anthropic = self._anthropic or {}
        merge_usage(self._anthropic, usage)
        return True

    def _note(self, event: object, kind: str, *, is_text: bool) -> None:
        located = None if is_text else (kind and locate(read_first(event, "message", "response"))) or locate(event)
        body = located.body if located else event
        if kind == "message_start":
            body = read(event, "message")
        self._model = self._model or reported_model(event, body)
        self._response_id = self._response_id or response_id_of(event, body)
        finish_reason = finish_reason_of(body)
        if not finish_reason and not is_text and may_have(event, _INNER):
            inner = read_first(event, "delta", "messageStop")
            finish_reason = "" if inner is None else finish_reason_of(inner)
        self._finish_reason = finish_reason or self._finish_reason
        if located is not None:
            self._has_usage = self._has_usage or kind != "message_start"
            if located.read_tokens is not read_metrics and kind in ANTHROPIC_EVENTS:
                self._anthropic = self._anthropic or {}
                merge_usage(self._anthropic, located.usage)
            else:
                self._last_with_usage, self._located = event, located

    def result(self) -> Extracted:
        """What the chunks so far tell."""
        source: object = self._last_with_usage
        located = self._located
        if self._anthropic is not None:
            source = {"type": "message", "id": self._response_id, "model": self._model, "usage": self._anthropic}
            located = Located(read_anthropic, self._anthropic, source)
        if located is not None and (self._anthropic is not None or self._is_plain_chat(located)):
            found = self._result_of_counts(source, located)
            if found is not None:
                return found
        if located is None or self._anthropic is not None:
            located = locate(source)
        values = found_in(source, located, provider=self._provider, model="")
        reported = values["model"] or self._model
        values["model"] = choose_model(reported=reported, given=self._given_model, provider=values["provider"])
        values["response_id"] = values["response_id"] or self._response_id
        values["litellm_call_id"] = self._litellm_call_id
        values["is_of_litellm"] = self._is_of_litellm
        values["finish_reason"] = values["finish_reason"] or self._finish_reason
        return frozen_from(Extracted, values)

    def _is_plain_chat(self, located: Located) -> bool:
        """Whether OpenAI's first chunks told all but the counts, and those have no cost among them."""
        is_told = self._provider != "" and self._model != "" and self._response_id != ""
        return is_told and located.read_tokens is read_chat and not may_have(located.usage, COSTS)

    def _result_of_counts(self, source: object, located: Located) -> Extracted | None:
        """What `extract` would find where the chunks before have told all the rest; None if these are no counts."""
        provider = self._provider or provider_of(source, located)
        reported = read_text(source, "model") or self._model
        model = choose_model(reported=reported, given=self._given_model, provider=provider)
        reader = UsageReader(model=model)
        tokens = located.read_tokens(located.usage, reader)
        if tokens is None:
            return None
        found = {
            "tokens": tokens,
            "model": model,
            "provider": provider,
            "response_id": read_text(source, "id") or self._response_id,
            "litellm_call_id": self._litellm_call_id,
            "is_of_litellm": self._is_of_litellm,
            "service_tier": service_tier_of(located.body, located.usage),
            "finish_reason": self._finish_reason,
            "is_adjusted": reader.is_adjusted,
            "problems": tuple(reader.problems),
        }
        return frozen_from(Extracted, found)

    def is_final(self, found: Extracted, *, is_whole: bool) -> bool:
        """Whether a `result` is the provider's last word, of a whole or stopped stream: no text can change it."""
        has_output = self._has_usage and found.tokens is not None and found.tokens.output_tokens > 0
        return has_output and (is_whole or found.finish_reason != "")


def _is_text_chunk(event: object, choices: object) -> bool:
    """Whether this is one of the many chunks of OpenAI's chat format, or Ollama's, that carry text and no usage."""
    if choices is None:
        return read(event, "done") is False
    is_any = isinstance(choices, (list, tuple)) and len(choices) > 0
    return is_any and read(event, "usage") is None and read(event, "x_groq") is None


def _decoded(chunk: object, wrapped: object) -> object:
    """The event inside a chunk of Bedrock's InvokeModelWithResponseStream, which is JSON in bytes."""
    raw = read(wrapped, "bytes")
    if not isinstance(raw, bytes):
        return chunk
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None

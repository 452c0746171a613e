"""The chunks of a stream as they pass: what is looked at at once, what is counted later, and what is not kept."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any
from weakref import ref

import pytest

from costtrack.domain.events import UsageEvent
from costtrack.metering.decorator import track_api_call
from costtrack.metering.events import build_event
from costtrack.metering.meter import meter
from costtrack.metering.open_stream import MOST_UNREAD
from costtrack.testing import capture_usage
from tests.metering.responses import RESPONSE_ID, ChatStream, chat_chunks

pytestmark = pytest.mark.usefixtures("no_stream_left")

HEAD = {"id": RESPONSE_ID, "model": "test-model", "usage": None}


class Chunk:
    """An SDK's object, which a weak reference may be made of."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


def chunk(text: str) -> Any:
    return Chunk(**HEAD, choices=[Chunk(delta={"content": text}, finish_reason=None)])


def ending() -> Any:
    return Chunk(**HEAD, choices=[Chunk(delta={"content": "last"}, finish_reason="length")])


def usage() -> Any:
    return Chunk(**{**HEAD, "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}, choices=[])


def only(log: Any) -> UsageEvent:
    [event] = log
    assert isinstance(event, UsageEvent)
    return event


def test_all_text_of_a_long_stream_is_counted() -> None:
    """200 x 4 = 800 characters are 200 tokens."""
    with capture_usage() as log, meter("chat") as call:
        list(call.observe_stream(ChatStream([chunk("four") for _ in range(200)])))
    assert (only(log).tokens.output_tokens, only(log).is_estimated) == (200, True)


def test_a_long_stream_keeps_few_of_its_chunks() -> None:
    def chunks() -> Iterator[Any]:
        for _ in range(1000):
            yield chunk("four")

    seen: list[ref[Any]] = []
    with capture_usage(), meter("chat") as call:
        for one in call.observe_stream(chunks()):
            seen.append(ref(one))
        del one
        gc.collect()
        assert sum(kept() is not None for kept in seen) <= MOST_UNREAD + 1
    gc.collect()
    assert [kept for kept in seen if kept() is not None] == []


def test_usage_that_the_consumer_takes_out_of_its_chunk_was_seen_before() -> None:
    with capture_usage() as log, meter("chat") as call:
        for one in call.observe_stream(ChatStream([chunk("Hi"), usage()])):
            one.usage = None
    assert (only(log).tokens.input_tokens, only(log).tokens.output_tokens) == (1000, 100)


def test_the_reason_why_an_answer_ends_is_read_where_the_counts_follow_it() -> None:
    with capture_usage() as log, meter("chat") as call:
        list(call.observe_stream(ChatStream([chunk("four"), chunk("four"), ending(), usage()])))
    event = only(log)
    assert (event.tokens.output_tokens, event.is_estimated, event.metadata) == (100, False, {"finish_reason": "length"})


def test_and_where_none_follow_it_with_all_of_the_text() -> None:
    """3 x 4 = 12 characters are 3 tokens."""
    with capture_usage() as log, meter("chat") as call:
        list(call.observe_stream(ChatStream([chunk("four"), chunk("four"), ending()])))
    event = only(log)
    assert (event.tokens.output_tokens, event.is_estimated) == (3, True)
    assert event.metadata["finish_reason"] == "length"


def test_a_stream_that_two_loops_read_is_one_call() -> None:
    with capture_usage() as log, meter("chat") as call:
        stream = call.observe_stream(ChatStream(chat_chunks()))
        for _ in stream:
            break
        assert next(stream)["choices"][0]["delta"] == {"content": "lo."}
        assert len(list(stream)) == 2
    event = only(log)
    assert (event.tokens.input_tokens, event.is_estimated, event.metadata) == (1000, False, {"finish_reason": "stop"})


def test_a_loop_that_breaks_tells_the_end_of_the_stream() -> None:
    with capture_usage() as log, meter("chat") as call:
        stream = call.observe_stream(ChatStream(chat_chunks(), breaks_after=1))
        with pytest.raises(ConnectionError):
            list(stream)
    assert only(log).metadata["stream"] == "ended early"


def test_a_stream_that_is_read_on_in_another_function_is_charged_once() -> None:
    """Its first chunk passed outside: the function is told of it all the same."""

    @track_api_call("outer")
    def rest(chunks: Iterator[Any]) -> Iterator[Any]:
        yield from chunks

    @track_api_call("inner")
    def ask() -> Any:
        return ChatStream(chat_chunks())

    with capture_usage() as log:
        chunks = iter(ask())
        next(chunks)
        list(rest(chunks))
    assert [(event.attribution.endpoint, event.tokens.input_tokens) for event in log] == [("inner", 1000)]


def test_metadata_of_one_word_is_neither_kept_nor_changed() -> None:
    given = {"finish_reason": "stop"}
    event = build_event(metadata=given, service_tier="express")
    assert given == {"finish_reason": "stop"}
    assert event.metadata is not given
    assert event.metadata["finish_reason"] == "stop"
    assert build_event(metadata={"note": "a@b.example"}).metadata == {"note": "[redacted: e-mail]"}

"""Streams whose usage never comes: what is missing is estimated from what arrived and was sent, and flagged."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from costtrack.domain.events import UsageEvent
from costtrack.metering.decorator import track_api_call
from costtrack.metering.estimate import UNKNOWN_INPUT
from costtrack.metering.meter import meter
from costtrack.metering.record import record_usage
from costtrack.models import ResourceUsage
from costtrack.testing import capture_usage
from tests.factories import make_rate
from tests.metering.responses import ChatStream, chat_chunks, chat_completion

pytestmark = pytest.mark.usefixtures("no_stream_left")

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello!?"}]
"""9 + 7 = 16 characters: 4 tokens."""


def texts(*pieces: str) -> list[dict[str, Any]]:
    """Chunks of OpenAI's chat with these texts, and no usage."""
    head = {"id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG", "model": "test-model", "usage": None}
    return [{**head, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]} for piece in pieces]


def anthropic(*, thinking: str = "", text: str = "", told: int | None = None) -> list[dict[str, Any]]:
    usage = {"input_tokens": 25, "cache_read_input_tokens": 2000, "output_tokens": 1}
    message = {"id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "model": "claude-test", "usage": usage}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    for kind, piece in (("thinking", thinking), ("text", text)):
        if piece:
            events.append({"type": "content_block_delta", "delta": {"type": f"{kind}_delta", kind: piece}})
    if told is not None:
        events.append({"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": told}})
    return events


@track_api_call("chat", provider="openai", model="test-model")
def ask(messages: Any, chunks: list[dict[str, Any]], *, breaks_after: int | None = None) -> Any:
    return ChatStream(chunks, breaks_after=breaks_after)


def left_early(stream: Any, chunks: int) -> None:
    for _ in range(chunks):
        next(stream)
    stream.close()


def only(log: Any) -> UsageEvent:
    [event] = log
    assert isinstance(event, UsageEvent)
    return event


def figures(event: UsageEvent) -> tuple[int, int, bool, str]:
    assert not event.usage_missing
    return (
        event.tokens.input_tokens,
        event.tokens.output_tokens,
        event.is_estimated,
        event.metadata.get("estimated", ""),
    )


@pytest.mark.django_db
def test_a_stream_left_early_is_priced_by_its_text_and_its_request() -> None:
    """4 x 3 + 3 x 15 = 57 per million: 10 characters arrived, 3 tokens."""
    make_rate()
    left_early(ask(MESSAGES, texts("Hello", " you.", " More.")), 2)
    row = ResourceUsage.objects.get()
    assert (row.input_tokens, row.output_tokens, row.is_estimated) == (4, 3, True)
    assert (row.cost_usd, row.cost_source) == (Decimal("0.000057"), "estimated")
    assert row.metadata == {"stream": "ended early", "estimated": "input from 16 characters, output from 10 characters"}


def test_a_stream_that_breaks_and_one_that_ends_without_usage_are_estimated_alike() -> None:
    with capture_usage() as log:
        with pytest.raises(ConnectionError):
            list(ask(MESSAGES, texts("Hello", " you."), breaks_after=2))
        list(ask(MESSAGES, texts("Hello", " you.")))
    how = "input from 16 characters, output from 10 characters"
    assert [(figures(event), event.outcome) for event in log] == [
        ((4, 3, True, how), "error"),
        ((4, 3, True, how), "success"),
    ]


def test_an_unknown_input_is_noted_and_what_is_known_is_counted() -> None:
    with capture_usage() as log:
        left_early(track_api_call("chat")(lambda: ChatStream(texts("Hello")))(), 1)
    assert figures(only(log)) == (0, 2, True, "output from 5 characters")
    assert log[0].metadata["_problems"] == [UNKNOWN_INPUT]


def test_a_final_count_is_never_touched() -> None:
    with capture_usage() as log:
        list(ask(MESSAGES, chat_chunks()))
    assert figures(only(log)) == (1000, 100, False, "")


def test_the_input_that_anthropic_told_is_kept_and_the_output_estimated() -> None:
    """8 + 12 characters are 5 tokens, 2 of them reasoning; 2025 of input, 2000 of them from the cache."""
    with capture_usage() as log:
        left_early(ask(MESSAGES, [*anthropic(thinking="I think.", text="Hello world!"), {}]), 3)
    assert figures(only(log)) == (2025, 5, True, "output from 20 characters")
    tokens = log[0].tokens
    assert (tokens.cache_read_tokens, tokens.reasoning_tokens) == (2000, 2)


@pytest.mark.parametrize(("told", "output"), [(50, 50), (2, 3)])
def test_of_a_told_count_and_the_text_the_larger_one_holds(told: int, output: int) -> None:
    events = anthropic(text="Hello world!", told=told)
    with capture_usage() as log:
        left_early(ask(MESSAGES, [*events, {}]), len(events))
    assert figures(only(log))[:3] == (2025, output, True)


def test_an_anthropic_stream_that_ends_without_its_last_count_is_not_one_token() -> None:
    with capture_usage() as log:
        list(ask(MESSAGES, anthropic(text="Hello world!")))
    assert figures(only(log)) == (2025, 3, True, "output from 12 characters")


def test_text_without_an_output_count_is_not_free() -> None:
    """Gemini's last chunk, which has the count of the candidates, never came."""
    chunk = {
        "candidates": [{"content": {"parts": [{"text": "Hello"}]}}],
        "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8},
        "modelVersion": "gemini-test",
    }
    with capture_usage() as log:
        list(ask(MESSAGES, [chunk]))
    assert figures(only(log)) == (8, 2, True, "output from 5 characters")


def test_absurd_usage_in_a_stream_is_estimated_and_noted() -> None:
    usage = {"prompt_tokens": "NaN", "completion_tokens": -3}
    with capture_usage() as log:
        list(ask(MESSAGES, [*texts("Hello"), {"choices": [], "usage": usage}]))
    assert figures(only(log))[:3] == (4, 2, True)
    assert [problem.split()[0] for problem in log[0].metadata["_problems"]] == ["prompt_tokens", "completion_tokens"]


def test_a_generator_of_plain_text_is_estimated_by_its_pieces() -> None:
    @track_api_call("chat", model="m")
    def pieces(prompt: str) -> Iterator[str]:
        yield from ("Hello", " you.")

    with capture_usage() as log:
        list(pieces("Say hi"))
    assert figures(only(log)) == (2, 3, True, "input from 6 characters, output from 10 characters")


def test_without_text_and_without_input_the_usage_is_missing_not_zero() -> None:
    @track_api_call("chat", model="m")
    def numbers() -> Iterator[int]:
        yield 1

    with capture_usage() as log:
        list(numbers())
    assert (only(log).usage_missing, log[0].is_estimated) == (True, False)


def test_a_stream_that_its_whole_message_follows_is_one_call() -> None:
    with capture_usage() as log, meter("chat") as call:
        list(call.observe_stream(ChatStream(texts("Hello"))))
        call.observe(chat_completion())
    assert figures(only(log)) == (1000, 100, False, "")


def test_what_the_caller_says_wins_over_an_estimate() -> None:
    with capture_usage() as log:
        for said in ({"input_tokens": 7}, {"output_tokens": 9}, {"input_tokens": 7, "output_tokens": 9}):
            with meter("chat") as call:
                call.set_input(MESSAGES)
                list(call.observe_stream(ChatStream(texts("Hello"))))
                call.set_usage(**said)  # type: ignore[arg-type]
    assert [figures(event) for event in log] == [
        (7, 2, True, "output from 5 characters"),
        (4, 9, True, "input from 16 characters"),
        (7, 9, False, ""),
    ]


def test_the_cost_of_a_running_stream_is_known_so_far() -> None:
    with capture_usage() as log, meter("chat") as call:
        stream = call.observe_stream(ChatStream(texts("Hello", " you.")))
        next(stream)
        [response] = call.observed.responses()
        assert response.arrived is not None
        assert response.arrived.characters == 5
        list(stream)
    assert figures(only(log))[:2] == (0, 3)


def test_a_stream_whose_usage_was_recorded_by_figures_is_not_estimated_on_top() -> None:
    @track_api_call("chat")
    def counted(messages: Any) -> Iterator[Any]:
        yield from texts("Hello", " you.")
        record_usage(model="test-model", input_tokens=11, output_tokens=3)

    with capture_usage() as log:
        list(counted(MESSAGES))
    assert figures(only(log)) == (11, 3, False, "")


def test_a_block_with_a_stream_without_usage_and_usage_by_figures_is_not_charged_twice() -> None:
    """The figures may well be the stream's: its own row stays unpriced, for people to see."""
    with capture_usage() as log, meter("chat") as call:
        list(call.observe_stream(ChatStream(texts("Hello", " you."))))
        record_usage(model="test-model", input_tokens=11, output_tokens=3)
    assert [(event.tokens.total_tokens, event.usage_missing) for event in log] == [(14, False), (0, True)]


def test_a_failed_call_that_never_answered_costs_nothing_as_before() -> None:
    @track_api_call("chat")
    def fail(messages: Any) -> Iterator[Any]:
        raise ConnectionError("429")
        yield

    with capture_usage() as log, pytest.raises(ConnectionError):
        list(fail(MESSAGES))
    assert (figures(only(log)), log[0].outcome) == ((0, 0, False, ""), "error")

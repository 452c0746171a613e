"""What a call was given to read counts where its provider does not tell the input; nothing of it is kept."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from costtrack.domain.events import UsageEvent
from costtrack.metering.call import Call
from costtrack.metering.decorator import track_api_call
from costtrack.metering.meter import meter
from costtrack.testing import capture_usage
from tests.metering.responses import ChatStream, chat_chunks

pytestmark = pytest.mark.usefixtures("no_stream_left")

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello!?"}]
"""9 + 7 = 16 characters: 4 tokens."""


def texts(*pieces: str) -> list[dict[str, Any]]:
    """Chunks of OpenAI's chat with these texts, and no usage."""
    return [{"model": "test-model", "choices": [{"delta": {"content": piece}}], "usage": None} for piece in pieces]


def left_early(stream: Any) -> None:
    next(stream)
    stream.close()


def figures(event: UsageEvent) -> tuple[int, int, bool]:
    assert not event.usage_missing
    return event.tokens.input_tokens, event.tokens.output_tokens, event.is_estimated


@pytest.mark.parametrize("name", ["messages", "prompt", "input", "contents"])
def test_the_usual_arguments_tell_the_input_however_they_are_passed(name: str) -> None:
    def by_keyword(**kwargs: Any) -> Any:
        return ChatStream(texts("Hello"))

    class Client:
        @track_api_call
        def ask(self, messages: Any) -> Any:
            return ChatStream(texts("Hello"))

    with capture_usage() as log:
        left_early(track_api_call(by_keyword)(**{name: MESSAGES, "tools": [{"name": "find"}]}))
        left_early(Client().ask(MESSAGES))
    # 16 + 4 = 20 characters, and 16.
    assert [event.tokens.input_tokens for event in log] == [5, 4]


class Prompt:
    content = "Hello!?"


def test_what_was_given_is_let_go_uncounted_if_the_usage_came() -> None:
    prompt = Prompt()
    alive = weakref.ref(prompt)
    with capture_usage() as log, meter("chat") as call:
        call.set_input(prompt)
        list(call.observe_stream(ChatStream(chat_chunks())))
    del prompt
    gc.collect()
    assert (alive(), isinstance(call, Call), figures(log[0])) == (None, True, (1000, 100, False))


def test_a_block_says_its_input_and_what_it_was_given_is_let_go() -> None:
    prompt = Prompt()
    alive = weakref.ref(prompt)
    with capture_usage() as log:
        with meter("chat") as call:
            call.set_input([prompt], "Be brief.")
            for _ in call.observe_stream(ChatStream(texts("Hello", "never read"))):
                break
        del prompt
        gc.collect()
        assert (alive(), isinstance(call, Call)) == (None, True)
    assert figures(log[0]) == (4, 2, True)
    assert log[0].metadata["estimated"] == "input from 16 characters, output from 5 characters"
    assert "brief" not in repr(log[0])


def test_the_answer_that_is_appended_to_the_messages_is_not_input() -> None:
    messages = list(MESSAGES)
    with capture_usage() as log, meter("chat") as call:
        call.set_input(messages)
        list(call.observe_stream(ChatStream(texts("Hello"))))
        messages.append({"role": "assistant", "content": "Hello" * 100})
    assert figures(log[0]) == (4, 2, True)


def test_every_stream_of_a_block_is_a_row_with_its_own_input() -> None:
    with capture_usage() as log, meter("agent") as call:
        call.set_input(MESSAGES)
        for _ in call.observe_stream(ChatStream(texts("Hello", "never read"))):
            break
        call.set_input([*MESSAGES, {"role": "user", "content": "And now?"}])
        list(call.observe_stream(ChatStream(texts("Fine."))))
    assert [figures(event) for event in log] == [(4, 2, True), (6, 2, True)]
    assert [event.metadata.get("stream", "") for event in log] == ["ended early", ""]

"""Streams that nobody finishes: dropped, closed, left behind by their loop or their process. Each is one row."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from costtrack.metering.decorator import track_api_call
from costtrack.metering.ending import StreamEnd, end_open_streams
from costtrack.testing import UsageLog, capture_usage
from tests.metering.responses import AsyncChatStream, ChatStream, chat_chunks

pytestmark = pytest.mark.usefixtures("no_stream_left")

CHUNKS = chat_chunks(with_usage=False)
"""Hel, lo. = 6 characters, 2 tokens."""
LEFT = [("success", 2, True)]


@track_api_call("chat")
def generated() -> Iterator[Any]:
    yield from CHUNKS


@track_api_call("chat")
def returned() -> Any:
    return ChatStream(CHUNKS)


@track_api_call("chat")
async def generated_async() -> AsyncIterator[Any]:
    for chunk in CHUNKS:
        yield chunk


@track_api_call("chat")
def returned_async() -> Any:
    return AsyncChatStream(CHUNKS)


SYNC = pytest.mark.parametrize("begin", [generated, returned])
ASYNC = pytest.mark.parametrize("begin", [generated_async, returned_async])


def rows(log: UsageLog) -> list[tuple[str, int, bool]]:
    return [(str(event.outcome), event.tokens.output_tokens, event.is_estimated) for event in log]


@pytest.fixture(autouse=True)
def _no_streams_of_others() -> None:
    with capture_usage():
        end_open_streams()


@SYNC
def test_a_stream_that_is_dropped_is_one_row(begin: Callable[[], Any]) -> None:
    with capture_usage() as log:
        stream = begin()
        next(stream)
        next(stream)
        del stream
        gc.collect()
    assert rows(log) == LEFT


@SYNC
def test_a_stream_that_is_closed_dropped_and_left_to_the_process_is_one_row(begin: Callable[[], Any]) -> None:
    with capture_usage() as log:
        stream = begin()
        next(stream)
        next(stream)
        stream.close()
        end_open_streams()
        del stream
        gc.collect()
    assert rows(log) == LEFT


@SYNC
def test_what_is_still_open_when_the_process_exits_is_one_row(begin: Callable[[], Any]) -> None:
    with capture_usage() as log:
        stream = begin()
        next(stream)
        next(stream)
        end_open_streams()
        assert rows(log) == LEFT
        list(stream)
    assert rows(log) == LEFT


@ASYNC
def test_an_async_stream_that_outlives_its_loop_is_one_row(begin: Callable[[], Any]) -> None:
    """Once with a loop that closes its generators, as asyncio.run does, once with one that is only closed."""
    kept = []

    async def main() -> None:
        stream = begin()
        await anext(stream)
        await anext(stream)
        kept.append(stream)

    with capture_usage() as log:
        asyncio.run(main())
        kept.clear()
        gc.collect()
    assert rows(log) == LEFT
    with capture_usage() as log:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        kept.clear()
        gc.collect()
    assert rows(log) == LEFT


@track_api_call("chat")
async def waiting() -> AsyncIterator[Any]:
    for chunk in CHUNKS[:2]:
        yield chunk
    await asyncio.get_running_loop().create_future()


class Waiting(AsyncChatStream):
    async def __anext__(self) -> Any:
        try:
            return await super().__anext__()
        except StopAsyncIteration:
            return await asyncio.get_running_loop().create_future()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("begin", [waiting, track_api_call("chat")(lambda: Waiting(CHUNKS))])
def test_a_task_that_is_destroyed_in_the_middle_of_a_stream_leaves_one_row(begin: Callable[[], Any]) -> None:
    async def read() -> None:
        async for _ in begin():
            pass

    async def main() -> None:
        task = asyncio.ensure_future(read())
        for _ in range(10):
            await asyncio.sleep(0)
        task._log_destroy_pending = False  # type: ignore[attr-defined]

    with capture_usage() as log:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        gc.collect()
    assert rows(log) == LEFT


def test_a_coroutine_that_is_destroyed_while_it_waits_costs_its_input() -> None:
    @track_api_call("chat")
    async def ask(prompt: str) -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        task = asyncio.ensure_future(ask("Say hello!"))
        for _ in range(3):
            await asyncio.sleep(0)
        task._log_destroy_pending = False  # type: ignore[attr-defined]

    with capture_usage() as log:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        gc.collect()
    # 10 characters, 3 tokens.
    assert [(event.error_type, event.tokens.input_tokens) for event in log] == [("GeneratorExit", 3)]


@pytest.mark.parametrize("begin", [waiting, track_api_call("chat")(lambda: Waiting(CHUNKS[:2]))])
def test_a_step_that_is_closed_while_a_loop_runs_awaits_nothing(begin: Callable[[], Any]) -> None:
    async def main() -> None:
        stream = begin()
        await anext(stream)
        await anext(stream)
        step = stream.__anext__()
        step.send(None)
        with pytest.raises(GeneratorExit):
            step.throw(GeneratorExit())

    with capture_usage() as log:
        asyncio.run(main())
    assert rows(log) == LEFT


def test_a_forked_child_that_drops_its_parents_stream_records_nothing() -> None:
    told: list[BaseException | None] = []
    end = StreamEnd(told.append)
    end._pid = -1
    del end
    gc.collect()
    assert told == []


SCRIPT = """
import atexit
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["costtrack"])
django.setup()
from costtrack.testing import capture_usage
capturing = capture_usage()
log = capturing.__enter__()
atexit.register(lambda: print(sorted((event.attribution.endpoint, event.tokens.output_tokens) for event in log)))
from costtrack import track_api_call

@track_api_call("generated")
def generated():
    yield "Hello"
    yield " you."

@track_api_call("returned")
def returned():
    return iter([{"choices": [{"delta": {"content": "Hi!"}}]}, {}])

streams = generated(), returned()
for stream in streams:
    next(stream)
"""


def test_a_script_that_leaves_its_streams_open_has_paid_for_them() -> None:
    """5 characters are 2 tokens, 3 are one."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr, done.stdout) == ("", "[('generated', 2), ('returned', 1)]\n")

"""Generators whose every step runs inside a context manager, which is left again before the consumer goes on.

A `with` inside a generator would stay entered while the consumer runs between two steps (a known gap of
contextvars: PEP 568); these wrappers leave nothing behind.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeAlias

from costtrack.metering.ending import OnEnd, StreamEnd

Scope: TypeAlias = AbstractContextManager[object]
"""Entered once per step, so it must be re-enterable."""

OnItem: TypeAlias = Callable[[Any], None]


def each_step_in(
    scope: Scope,
    steps: Iterator[Any],
    *,
    on_start: Callable[[], None] | None = None,
    on_item: OnItem | None = None,
    on_end: OnEnd | None = None,
) -> Generator[Any, Any, Any]:
    """`steps` with `scope` around each `next`, `send`, `throw` and the closing; its items pass untouched.

    If `on_start` raises, nothing has run, and no end is told.
    """
    failure: BaseException | None = None
    step: Callable[[], Any] = partial(next, steps)
    if on_start:
        on_start()
    stream_end = StreamEnd(on_end) if on_end else None
    try:
        while True:
            with scope:
                try:
                    item = step()
                except StopIteration as end:
                    if on_item and end.value is not None:
                        on_item(end.value)
                    return end.value
                if on_item:
                    on_item(item)
            try:
                sent = yield item
            except GeneratorExit:
                raise
            except BaseException as error:
                throw = getattr(steps, "throw", None)
                if throw is None:
                    raise
                step = partial(throw, error)
            else:
                step = partial(next, steps) if sent is None else partial(steps.send, sent)  # type: ignore[attr-defined]
    except BaseException as error:
        failure = error
        raise
    finally:
        try:
            with scope:
                close(steps)
        finally:
            if stream_end:
                stream_end.tell(failure)


async def each_async_step_in(
    scope: Scope,
    steps: AsyncIterator[Any],
    *,
    on_start: Callable[[], Awaitable[None]] | None = None,
    on_item: OnItem | None = None,
    on_end: OnEnd | None = None,
) -> AsyncGenerator[Any, Any]:
    """The same for an async iterator; `on_start` is awaited."""
    failure: BaseException | None = None
    is_dropped = False
    step: Callable[[], Awaitable[Any]] = partial(anext, steps)
    if on_start:
        await on_start()
    stream_end = StreamEnd(on_end) if on_end else None
    try:
        while True:
            with scope:
                try:
                    item = await step()
                except StopAsyncIteration:
                    return
                except GeneratorExit:  # dropped with its loop, while it waited: nothing may be awaited any more
                    is_dropped = True
                    raise
                if on_item:
                    on_item(item)
            try:
                sent = yield item
            except GeneratorExit:
                raise
            except BaseException as error:
                throw = getattr(steps, "athrow", None)
                if throw is None:
                    raise
                step = partial(throw, error)
            else:
                step = partial(anext, steps) if sent is None else partial(steps.asend, sent)  # type: ignore
    except BaseException as error:
        failure = error
        raise
    finally:
        if is_dropped:
            if stream_end:
                stream_end.tell_later(failure)
        else:
            try:
                with scope:
                    await aclose(steps)
            finally:
                if stream_end:
                    await stream_end.tell_async(failure)


def close(stream: object) -> None:
    """Close a stream that can be closed."""
    method = getattr(stream, "close", None)
    if method is not None:
        method()


async def aclose(stream: object) -> None:
    """Close an async stream: generators have `aclose`, SDKs `close`, which may be a coroutine or not."""
    method = getattr(stream, "aclose", None) or getattr(stream, "close", None)
    if method is not None:
        closing = method()
        if isinstance(closing, Awaitable):
            await closing

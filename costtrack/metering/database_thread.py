"""Running database work from wherever a call was metered: plain threads, coroutines, and `with` inside coroutines.

Django refuses the ORM on an event loop's thread. The work then goes to the thread that Django's own
`sync_to_async` would use, and shares its connection and transaction.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import Any, TypeVar

from asgiref.sync import AsyncToSync, sync_to_async

T = TypeVar("T")
logger = logging.getLogger("costtrack")

LONGEST_WAIT_SECONDS = 10.0
"""For how long an event loop may be held up by a `with` that should have been an `async with`."""

_running: set[asyncio.Task[Any]] = set()
"""A loop keeps only weak references to its tasks."""


def run_sync(work: Callable[[], T]) -> T:
    """`work()`, on a thread where the database may be used; waits for it.

    On an event loop's thread that holds the loop up: prefer `async with meter(...)` there. Raises TimeoutError if
    the work has not been done after 10 s; it is then still done later.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return work()
    # The executors that sync_to_async looks up, in its order: the thread that waits in async_to_sync, else our own.
    waiting: Executor | None = getattr(AsyncToSync.executors, "current", None)
    if waiting is None:
        waiting = AsyncToSync.loop_thread_executors.get(loop)
    if waiting is not None:
        try:
            future = waiting.submit(copy_context().run, work)
        except RuntimeError:  # that thread does not wait any more
            pass
        else:
            return future.result(LONGEST_WAIT_SECONDS)
    return run_on_own_thread(work).result(LONGEST_WAIT_SECONDS)


async def run_async(work: Callable[[], T]) -> T | None:
    """`work()`, on the thread of `sync_to_async`; done to its end even if the caller, or the loop, is cancelled."""
    begun = threading.Lock()

    def once() -> T | None:
        return work() if begun.acquire(blocking=False) else None

    def finished(task: asyncio.Task[T | None]) -> None:
        _running.discard(task)
        if task.cancelled() or task.exception() is not None:
            run_later(once)

    task = asyncio.ensure_future(sync_to_async(once, thread_sensitive=True)())
    _running.add(task)
    task.add_done_callback(finished)
    return await asyncio.shield(task)


def run_quietly(work: Callable[[], None] | None) -> None:
    """`run_sync` after a call, where nothing may raise: what cannot be waited for is done later."""
    if work is None:
        return
    try:
        run_sync(work)
    except Exception as error:  # the boundary: metering never breaks a completed call
        logger.warning("Usage is still being recorded: %s %s", type(error).__name__, error)


async def run_quietly_async(work: Callable[[], None] | None) -> None:
    """`run_async` after a call, where nothing may raise but a cancellation."""
    if work is None:
        return
    try:
        await run_async(work)
    except Exception as error:  # the same
        logger.warning("Usage is still being recorded: %s %s", type(error).__name__, error)


def run_later(work: Callable[[], object]) -> None:
    """`work()` on a thread of our own, at the latest when the interpreter exits; does not wait."""
    run_on_own_thread(work)


def run_on_own_thread(work: Callable[[], T]) -> Future[T]:
    """`work()` on a thread of our own, with connections of its own."""
    return _own_thread().submit(copy_context().run, _with_own_connections, work)


def close_own_connections(timeout_seconds: float = LONGEST_WAIT_SECONDS) -> None:
    """Close the connections of our own thread, if it ever ran, after what it was given so far."""
    if _own_thread.cache_info().currsize:
        _own_thread().submit(_close_all).result(timeout_seconds)


def _close_all() -> None:
    from django.db import connections

    connections.close_all()


def wait_for_later(timeout_seconds: float = LONGEST_WAIT_SECONDS) -> None:
    """Wait until all that `run_later` was given so far is done; it is done in order."""
    if _own_thread.cache_info().currsize:
        _own_thread().submit(lambda: None).result(timeout_seconds)


@cache
def _own_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="costtrack")


# In a forked child the thread is gone, and its executor would wait for it for ever.
os.register_at_fork(after_in_child=_own_thread.cache_clear)


def _with_own_connections(work: Callable[[], T]) -> T:
    """As around a request: this thread has connections of its own, which nobody else would ever close."""
    from django.db import close_old_connections

    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()

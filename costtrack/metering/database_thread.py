"""Running database work from wherever a call was metered: plain threads, coroutines, and `with` inside coroutines.

Django refuses the ORM on an event loop's thread. The work then goes to the thread that Django's own
`sync_to_async` would use, and shares its connection and transaction.
"""

from __future__ import annotations

import _thread
import asyncio
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

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
        loop = None
    if loop is None:  # not in the handler: what `work` raises has no other cause
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


class Work(Protocol):
    """What is left to do after a call."""

    @property
    def needs_no_database(self) -> bool:
        """Whether it may be done on any thread, an event loop's too: it only appends to a file."""

    def __call__(self) -> None:
        """Do it."""


def run_quietly(work: Work | None) -> None:
    """`run_sync` after a call, where nothing may raise: what cannot be waited for is done later."""
    if work is None:
        return
    try:
        if work.needs_no_database:
            work()
        else:
            run_sync(work)
    except Exception as error:  # the boundary: metering never breaks a completed call
        logger.warning("Usage is still being recorded: %s %s", type(error).__name__, error)


async def run_quietly_async(work: Work | None) -> None:
    """`run_async` after a call, where nothing may raise but a cancellation; not awaited where that is not needed."""
    if work is None:
        return
    try:
        if work.needs_no_database:
            work()
        else:
            await run_async(work)
    except Exception as error:  # the same
        logger.warning("Usage is still being recorded: %s %s", type(error).__name__, error)


def run_later(work: Callable[[], object]) -> None:
    """`work()` on a thread of our own, at the latest when the interpreter exits; does not wait.

    Finalizers may call it: the garbage collector runs them anywhere, on any thread.
    """
    done = run_on_own_thread(work)
    if _here().is_exiting and not _here().is_this_thread:  # nobody else waits for it any more
        wait([done], LONGEST_WAIT_SECONDS)


def run_on_own_thread(work: Callable[[], T]) -> Future[T]:
    """`work()` on a thread of our own, with connections of its own. Raises RuntimeError where no thread can start."""
    return _here().submit(partial(_with_own_connections, work))


def close_own_connections(timeout_seconds: float = LONGEST_WAIT_SECONDS) -> None:
    """Close the connections of our own thread, if it ever ran, after what it was given so far."""
    if _here().is_started:
        _here().submit(_close_all).result(timeout_seconds)


def _close_all() -> None:
    from django.db import connections

    connections.close_all()


def wait_for_later(timeout_seconds: float = LONGEST_WAIT_SECONDS) -> None:
    """Wait until all that `run_later` was given so far is done; it is done in order. Raises TimeoutError."""
    if _here().is_started and not _here().is_this_thread:
        _here().submit(lambda: None).result(timeout_seconds)


def finish_later(timeout_seconds: float = LONGEST_WAIT_SECONDS) -> None:
    """The same when the process ends; from then on `run_later` waits itself."""
    wait_for_later(timeout_seconds)
    _here().is_exiting = True


class _OwnThread:
    """A daemon thread that does what it is given, in order.

    Nothing here waits for a lock: the garbage collector may drop a stream in the middle of a `submit`, and the stream's
    finalizer submits, too. So no ThreadPoolExecutor, whose `submit` holds one, nor a threading.Thread, whose `start`
    waits for the thread to run; a SimpleQueue is made to be put on by finalizers.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._started = threading.Lock()
        """Taken for ever by who starts the thread."""
        self._ident = 0
        self.is_exiting = False

    @property
    def is_started(self) -> bool:
        """Whether it ever got work."""
        return self._started.locked()

    @property
    def is_this_thread(self) -> bool:
        """Whether it is the caller."""
        return self._ident == threading.get_ident()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have `work` done in the caller's context. Raises RuntimeError where no thread can start: it is not done."""
        if self._started.acquire(blocking=False):
            try:
                _thread.start_new_thread(self._run, ())
            except BaseException:
                self._started.release()
                raise
        future: Future[T] = Future()
        self._queue.put(partial(_do, work, copy_context(), future))
        return future

    def _run(self) -> None:
        self._ident = threading.get_ident()
        threading.current_thread().name = "costtrack"
        while True:
            self._queue.get()()


def _do(work: Callable[[], T], context: Context, future: Future[T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = context.run(work)
    except BaseException as error:
        future.set_exception(error)
        del future  # its exception's traceback holds this frame
    else:
        future.set_result(result)


_own_threads: dict[int, _OwnThread] = {}
"""By pid, for a process that was forked without Python's knowledge (uWSGI does so) has no threads either."""

# In a forked child the thread is gone, and what it was given is its parent's to do.
os.register_at_fork(after_in_child=_own_threads.clear)


def _here() -> _OwnThread:
    pid = os.getpid()
    return _own_threads.get(pid) or _own_threads.setdefault(pid, _OwnThread())


def _with_own_connections(work: Callable[[], T]) -> T:
    """As around a request: this thread has connections of its own, which nobody else would ever close."""
    from django.db import close_old_connections

    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()

"""The end of a stream, told exactly once: when it ends, breaks, is closed or dropped, or when the process exits.

Dropped streams are common: a consumer that leaves a loop, a task that is destroyed with its event loop, a client that
is gone. What they used was used nevertheless.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import TypeAlias
from weakref import ref

import costtrack.metering.exits  # noqa: F401 - the exit ends what is open
from costtrack.metering.database_thread import Work, run_later, run_quietly, run_quietly_async
from costtrack.metering.per_process import PerProcess

OnEnd: TypeAlias = Callable[[BaseException | None], Work | None]
"""Told how a stream ended: None = at its end, GeneratorExit = closed early. Gives the work of recording it, or None."""


class StreamEnd:
    """Tells `on_end` once, whoever comes first. It belongs to the stream alone, and so notices when that is dropped."""

    __slots__ = ("__weakref__", "_pending", "_pid", "_reference")

    def __init__(self, on_end: OnEnd) -> None:
        """The stream has begun, in this process."""
        self._pending = [on_end]
        self._pid = _pid.get()
        self._reference = ref(self)
        _open.add(self._reference)

    def tell(self, error: BaseException | None) -> None:
        """The stream ended; what it used is recorded."""
        run_quietly(self._work(error))

    async def tell_async(self, error: BaseException | None) -> None:
        """The same in a coroutine, which may be cancelled meanwhile."""
        work = self._work(error)
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # its loop is gone, and something else closes the coroutine
            do_later(work)
        else:
            await run_quietly_async(work)

    def tell_later(self, error: BaseException | None) -> None:
        """The same where nothing may be awaited, nor done on this thread: it may be anywhere in its code."""
        do_later(self._work(error))

    def __del__(self) -> None:
        """Nobody finished the stream."""
        if self._pending and not sys.is_finalizing():
            self.tell_later(GeneratorExit())

    def _work(self, error: BaseException | None) -> Work | None:
        try:
            on_end = self._pending.pop()
        except IndexError:
            return None
        _open.discard(self._reference)
        if isinstance(error, GeneratorExit) and self._pid != _pid.get():
            return None  # dropped by a forked child: the parent still has it
        return on_end(error)


_pid = PerProcess(os.getpid)
_open: set[ref[StreamEnd]] = set()
"""Of those that have not been told."""


def end_open_streams() -> None:
    """Record what the streams of this process that are still open have used so far; they are over with that."""
    for reference in _open.copy():
        end = reference()
        if end is not None:
            end.tell(GeneratorExit())


def do_later(work: Work | None) -> None:
    """`work()` on a thread of our own; on this one if the interpreter is about to exit and starts no more threads."""
    if work is None:
        return
    try:
        run_later(work)
    except RuntimeError:
        run_quietly(work)

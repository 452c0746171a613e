"""Our own thread: work in order, with the caller's context, given to it from wherever a finalizer may run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextvars import ContextVar

import pytest

from costtrack.metering.database_thread import (
    close_own_connections,
    finish_later,
    run_later,
    run_on_own_thread,
    wait_for_later,
)

whose: ContextVar[str] = ContextVar("whose", default="nobody's")

COLLECTED = """
import gc
from concurrent.futures import Future, _base

from django.conf import settings

settings.configure()
from costtrack.metering.database_thread import run_later, wait_for_later
from costtrack.metering.ending import StreamEnd

done = []
made = Future.__init__

class Work:
    needs_no_database = False

    def __call__(self):
        done.append("the stream")

def drop_a_stream():
    stream = [StreamEnd(lambda error: Work())]
    stream.append(stream)

def collecting(self):
    _base.Future.__init__ = made
    drop_a_stream()
    gc.collect()
    made(self)

_base.Future.__init__ = collecting
run_later(lambda: done.append("the work"))
wait_for_later()
print(done)
"""


def test_a_stream_that_the_garbage_collector_drops_while_work_is_given_does_not_wait_for_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", COLLECTED], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stderr, done.stdout) == ("", "['the stream', 'the work']\n")


def test_work_is_done_in_order_in_the_context_of_its_caller_on_one_thread() -> None:
    done: list[tuple[int, str, str]] = []
    for number in range(100):
        whose.set(f"caller {number}")
        run_later(lambda number=number: done.append((number, whose.get(), threading.current_thread().name)))
    wait_for_later()
    assert done == [(number, f"caller {number}", "costtrack") for number in range(100)]


def test_what_work_raises_is_given_to_who_waits_and_ends_nothing() -> None:
    def fail() -> None:
        raise SystemExit("The work has failed.")

    with pytest.raises(SystemExit, match="The work has failed"):
        run_on_own_thread(fail).result(10)
    assert run_on_own_thread(lambda: 7).result(10) == 7


def test_nobody_waits_for_a_thread_that_was_never_needed() -> None:
    if (pid := os.fork()) == 0:
        before = threading.active_count()
        wait_for_later(0)
        close_own_connections(0)
        os._exit(threading.active_count() - before)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_forked_child_has_a_thread_of_its_own_and_leaves_its_parents_work_to_the_parent() -> None:
    begun, may_end = threading.Event(), threading.Event()
    done: list[int] = []

    def wait() -> None:
        begun.set()
        may_end.wait(10)

    run_later(wait)
    run_later(lambda: done.append(os.getpid()))
    begun.wait(10)
    if (pid := os.fork()) == 0:
        child_pid = run_on_own_thread(os.getpid).result(10)
        wait_for_later(10)
        os._exit(0 if child_pid == os.getpid() and done == [] else 1)
    assert os.waitpid(pid, 0)[1] == 0
    may_end.set()
    wait_for_later()
    assert done == [os.getpid()]


def test_once_the_exit_has_waited_work_is_done_before_run_later_returns() -> None:
    if (pid := os.fork()) == 0:
        done: list[str] = []
        finish_later(1)
        for number in range(100):
            run_later(lambda: done.append("once"))
            if len(done) != number + 1:
                os._exit(1)
        run_on_own_thread(lambda: run_later(lambda: done.append("from the thread itself"))).result(1)
        wait_for_later(1)
        os._exit(0 if done[100:] == ["from the thread itself"] else 2)
    assert os.waitpid(pid, 0)[1] == 0

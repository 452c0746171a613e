"""Finalizers and signal handlers run anywhere, also in the middle of an append: what they meter waits for its end."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

import costtrack
from costtrack.metering import spool
from costtrack.metering.spool import directory
from costtrack.models import ResourceUsage
from tests.factories import make_organization, make_rate
from tests.metering.spool.spooling import CALL

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def acme(spool_dir: Path) -> None:
    make_rate()
    make_organization()
    costtrack.record_usage(**CALL, idempotency_key="before")


@costtrack.track_api_call("stream", organization="acme", provider="openai", model="test-model")
def stream() -> Iterator[dict[str, Any]]:
    """A stream that tells its usage with every chunk."""
    while True:
        yield {"model": "test-model", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}


def in_the_next_write(monkeypatch: pytest.MonkeyPatch, interrupt: Callable[[], None]) -> None:
    """Have `interrupt` run once in the middle of an append of this process."""
    real, thread = os.write, threading.get_ident()
    pending = [interrupt]

    def write(descriptor: int, data: bytes) -> int:
        if pending and threading.get_ident() == thread:
            pending.pop()()
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)


def within_seconds(work: Callable[[], None], seconds: float = 30.0) -> None:
    """Run it on a thread of its own, and fail if it hangs."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it waits for itself"


def endpoints() -> list[str]:
    assert costtrack.flush(10)
    return sorted(ResourceUsage.objects.values_list("endpoint", flat=True))


def test_a_stream_that_the_garbage_collector_drops_in_an_append_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def drop_a_stream() -> None:
        cycle: dict[str, Any] = {"stream": stream()}
        cycle["self"] = cycle
        next(cycle["stream"])
        del cycle
        gc.collect()

    def meter() -> None:
        in_the_next_write(monkeypatch, drop_a_stream)
        costtrack.record_usage(**CALL, endpoint="outer")

    within_seconds(meter)
    assert endpoints() == ["", "outer", "stream"]


def test_a_stream_that_is_dropped_while_the_spool_starts_is_recorded(
    spool_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spool.stop(10)
    real = directory.prepared_directory
    interrupted: list[Path] = []

    def interrupt(path: Path) -> Path:
        if not interrupted:
            interrupted.append(path)
            costtrack.record_usage(**CALL, endpoint="dropped")
        return real(path)

    monkeypatch.setitem(spool.append.__globals__, "prepared_directory", interrupt)
    within_seconds(lambda: costtrack.record_usage(**CALL, endpoint="outer") and None)
    assert interrupted == [spool_dir]
    assert endpoints() == ["", "dropped", "outer"]


def test_usage_that_a_signal_handler_meters_in_an_append_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def handle(*_: object) -> None:
        costtrack.record_usage(**CALL, endpoint="handler")

    before = signal.signal(signal.SIGUSR1, handle)
    alarm = threading.Timer(30, os.abort)  # the handler needs the main thread: a hang ends the run, loudly
    alarm.start()
    try:
        in_the_next_write(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGUSR1))
        costtrack.record_usage(**CALL, endpoint="outer")
    finally:
        alarm.cancel()
        signal.signal(signal.SIGUSR1, before)
    assert endpoints() == ["", "handler", "outer"]


@pytest.mark.parametrize("is_written", [False, True])
def test_an_exception_out_of_an_append_leaves_the_spool_usable(
    is_written: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TimeLimit(BaseException):
        """As Celery raises it from a signal handler, before a call or after it."""

    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        if is_written:
            real(descriptor, data)
        raise TimeLimit

    def meter() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", write)
            with pytest.raises(TimeLimit):
                costtrack.record_usage(**CALL, endpoint="cut off")
        costtrack.record_usage(**CALL, endpoint="next")

    within_seconds(meter)
    assert endpoints() == ["", "next"]  # record_usage raised, so it has recorded nothing
    running = spool.running()
    assert running is not None
    assert running.appender.booked == running.appender.spooled == 2

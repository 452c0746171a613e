"""Files of the spool that somebody keeps locked, or has left half-written: nobody waits for ever, nothing is lost."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from costtrack.metering.spool.adoption import orphans
from costtrack.metering.spool.counters import COUNTERS_FILE, Counters
from costtrack.metering.spool.dead_letters import DeadLetter, DeadLetters
from costtrack.metering.spool.directory import DEAD_LETTERS
from costtrack.metering.spool.header import SegmentHeader
from costtrack.metering.spool.segment import WrittenSegment
from tests.factories import make_event


@contextmanager
def kept_locked(path: Path, kind: int = fcntl.LOCK_EX) -> Iterator[None]:
    """As by a process that was stopped in the middle of it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def a_child_forked(sleeps: float = 20.0) -> Iterator[int]:
    """A child that only sleeps, with copies of all that is open now."""
    if (pid := os.fork()) == 0:
        time.sleep(sleeps)
        os._exit(0)
    try:
        yield pid
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def letter(key: str) -> DeadLetter:
    return DeadLetter(reason="why", event=make_event(key=key))


def keys(lines: list[bytes]) -> list[str]:
    """The keys of dead letters."""
    events = [DeadLetter.from_line(line).event for line in lines]
    return [event.idempotency_key for event in events if event]


def test_counters_whose_file_is_kept_locked_go_on_in_memory_and_are_added_later(tmp_path: Path) -> None:
    counters, others = Counters(tmp_path), Counters(tmp_path)
    others.add(recorded=1)
    with kept_locked(tmp_path / COUNTERS_FILE):
        began = time.monotonic()
        counters.add(recorded=2)
        counters.add(recorded=3, overflows=1)
        assert time.monotonic() - began < 5
        assert counters.in_this_process()["recorded"] == 5
        assert counters.of_all_processes()["recorded"] == 1
    counters.add(recorded=4)
    assert counters.of_all_processes()["recorded"] == 1 + 2 + 3 + 4
    assert counters.of_all_processes()["overflows"] == 1


def test_dead_letters_whose_file_is_kept_locked_are_kept_in_another_that_a_retry_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("costtrack.metering.spool.dead_letters.LOCK_SECONDS", 0.05)
    letters = DeadLetters(tmp_path)
    letters.add([letter("a")])
    with kept_locked(tmp_path / DEAD_LETTERS):
        letters.add([letter("b"), letter("c")])
        assert letters.count() == 3
        assert letters.reasons() == [("why", 3)]
    letters.add([letter("d")])
    with letters.taken() as lines:
        assert sorted(keys(lines)) == ["a", "b", "c", "d"]
    assert letters.count() == 0
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", [COUNTERS_FILE, DEAD_LETTERS])
def test_a_child_forked_in_the_middle_of_a_write_does_not_keep_the_lock(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[Iterator[int]] = []
    real = os.pwrite if name == COUNTERS_FILE else os.fdatasync

    def fork_first(*arguments: object) -> object:
        children.append(a_child_forked())
        children[-1].__enter__()  # type: ignore[attr-defined]
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, real.__name__, fork_first)
    try:
        if name == COUNTERS_FILE:
            Counters(tmp_path).add(recorded=1)
        else:
            DeadLetters(tmp_path).add([letter("a")])
        monkeypatch.undo()
        assert len(children) == 1
        with open(tmp_path / name) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # free, although the child lives
    finally:
        for child in children:
            child.__exit__(None, None, None)  # type: ignore[attr-defined]


def test_a_letter_after_one_that_was_cut_off_has_a_line_of_its_own(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter("a")])
    cut_off = letter("b").line()[:-30]
    with (tmp_path / DEAD_LETTERS).open("ab") as file:
        file.write(cut_off)
    letters.add([letter("c")])
    with letters.taken() as lines:
        assert keys([lines[0], lines[2]]) == ["a", "c"]
        assert lines[1] == cut_off


def test_retries_at_once_and_new_letters_meanwhile_take_each_letter_once(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter(f"old-{number}") for number in range(50)])
    seen: list[str] = []
    errors: list[BaseException] = []

    def retry() -> None:
        try:
            for _ in range(60):
                with letters.taken() as lines:
                    seen.extend(keys(lines))
        except BaseException as error:
            errors.append(error)

    def add() -> None:
        for number in range(60):
            letters.add([letter(f"new-{number}")])

    threads = [threading.Thread(target=run) for run in (retry, retry, retry, add)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    retry()
    assert errors == []
    assert len(seen) == len(set(seen)) == 110
    assert letters.count() == 0


def test_a_look_at_a_segment_that_locks_it_for_a_moment_does_not_hide_it_from_the_next_adopter(tmp_path: Path) -> None:
    for _ in range(2):
        WrittenSegment(tmp_path, SegmentHeader(address="0" * 16)).close()
    first, second = sorted(tmp_path.glob("*.segment"))
    found = []
    look = kept_locked(first, fcntl.LOCK_SH)
    look.__enter__()
    for segment in orphans(tmp_path, installation=uuid4(), address="0" * 16, but=()):
        found.append(segment.path)
        if segment.path == second:
            look.__exit__(None, None, None)  # the look is over by now
        segment.remove()
    assert found == [second, first]

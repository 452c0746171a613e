"""Run as a process: meter in a loop by the public API, and note each event before its call and after.

The notes go to a file by `os.write`, so that they survive SIGKILL: `> key` before a call, `< key microseconds` once it
has returned, `! key error` if it raised. A test reads them with `read_notes`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import resource
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import django


@dataclass
class Notes:
    """What the callers of all metering processes saw."""

    begun: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    """Keys whose call has returned: recorded, as far as the caller knows."""
    raised: dict[str, str] = field(default_factory=dict)
    longest_ms: float = 0.0
    """The slowest call."""


def read_notes(folder: Path) -> Notes:
    """The notes of all processes so far."""
    notes = Notes()
    for path in folder.glob("*.notes"):
        whole, _, _ = path.read_text().rpartition("\n")
        for line in whole.splitlines():
            kind, key, *rest = line.split(" ", 2)
            if kind == ">":
                notes.begun.add(key)
            elif kind == "<":
                notes.acknowledged.add(key)
                notes.longest_ms = max(notes.longest_ms, int(rest[0]) / 1000)
            else:
                notes.raised[key] = rest[0]
    return notes


def meter_and_note(name: str, descriptor: int, *, way: Callable[[str], None]) -> None:
    """Meter one event under the key `name`."""
    os.write(descriptor, f"> {name}\n".encode())
    began = time.perf_counter()
    try:
        way(name)
    except Exception as error:
        os.write(descriptor, f"! {name} {type(error).__name__}: {error}\n".encode())
        return
    os.write(descriptor, f"< {name} {(time.perf_counter() - began) * 1e6:.0f}\n".encode())


def by_record_usage(key: str) -> None:
    """1000 x 3 + 100 x 15 = 4500 per million: 0.0045 USD."""
    from costtrack import record_usage

    record_usage(
        provider="openai",
        model="test-model",
        input_tokens=1000,
        output_tokens=100,
        idempotency_key=key,
        organization="acme",
        project=f"p{len(key) % 3}",
        agent="a",
        request_id=key,
    )


def by_meter(key: str) -> None:
    """The same usage, by the context manager."""
    from costtrack import meter

    fields = {"provider": "openai", "model": "test-model", "organization": "acme", "request_id": key}
    with meter("chat", idempotency_key=key, **fields) as call:
        call.set_usage(input_tokens=1000, output_tokens=100)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("--events", type=int, default=0, help="how many per thread; 0 = without end")
    parser.add_argument("--pause", type=float, default=0.002, help="seconds between two, on average")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--hectic", action="store_true", help="small segments, no rest between batches, adoption all the time"
    )
    parser.add_argument("--largest-file", type=int, help="of this process, in bytes: as if the disk were full then")
    parser.add_argument("--end", choices=["exit", "os._exit", "sleep", "sigterm"], default="exit")
    options = parser.parse_args()
    django.setup()
    if options.hectic:
        from costtrack.metering.spool import appender, flusher

        appender.SEGMENT_BYTES, appender.CLEARED_ABOVE_BYTES = 40_000, 20_000
        flusher.ROUND_SECONDS, flusher.ADOPT_SECONDS = 0.005, 0.2
    if options.largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.largest_file, options.largest_file))
    descriptor = os.open(options.folder / f"{options.name}.notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def loop(thread: int) -> None:
        chance = random.Random(f"{options.name}-{thread}")
        for number in range(options.events) if options.events else itertools.count():
            way = by_meter if number % 5 == 4 else by_record_usage
            meter_and_note(f"{options.name}-{thread}-{number}", descriptor, way=way)
            if options.pause:
                time.sleep(chance.uniform(0, 2 * options.pause))

    threads = [threading.Thread(target=loop, args=(thread,)) for thread in range(options.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("metered", flush=True)
    if options.end == "os._exit":
        os._exit(0)
    if options.end == "sigterm":
        os.kill(os.getpid(), signal.SIGTERM)
    while options.end == "sleep":
        time.sleep(60)


if __name__ == "__main__":
    main()

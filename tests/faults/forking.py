"""Run as a process: fork again and again while threads meter; the children meter too.

With `--outlive` the parent forks one child in mid-metering, once there is a file named `fork`; the child only waits
for one named `done`. With `--adopt` it does so while it has adopted what a dead process left, and not booked it yet.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from pathlib import Path

import django

from tests.faults.metering import by_meter, by_record_usage, meter_and_note


def note_file(folder: Path, name: str) -> int:
    return os.open(folder / f"{name}.notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def meter_some(folder: Path, name: str, count: int) -> None:
    """As a child does, with notes of its own."""
    descriptor = note_file(folder, name)
    for number in range(count):
        meter_and_note(f"{name}-{number}", descriptor, way=by_meter if number % 2 else by_record_usage)


def child(folder: Path, name: str, *, generation: int, is_booked: bool) -> None:
    """Meter, fork a grandchild that meters, and end as uWSGI's or Celery's children do, or as a script does.

    The grandchild ends by os._exit, once all of its own is booked, or in the middle of whatever it does.
    """
    meter_some(folder, name, 20)
    if generation < 2:
        pid = os.fork()
        if pid == 0:
            child(folder, f"{name}.g", generation=generation + 1, is_booked=is_booked)
        os.waitpid(pid, 0)
    meter_some(folder, f"{name}.more", 5)
    if generation == 2:
        if is_booked:
            import costtrack

            costtrack.flush(30)
        os._exit(0)
    sys.exit(0)


def fork_one_that_outlives(folder: Path) -> None:
    """Print its pid, and wait to be killed."""
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        deadline = time.monotonic() + 60
        while not (folder / "done").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os._exit(0)
    time.sleep(60)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--forks", type=int, default=0)
    parser.add_argument("--booked", action="store_true")
    parser.add_argument("--outlive", action="store_true")
    parser.add_argument("--adopt", action="store_true")
    options = parser.parse_args()
    django.setup()
    from costtrack.metering.spool import flusher, spool_directory
    from costtrack.metering.spool.adoption import orphans
    from costtrack.metering.spool.installation import installation_uuid

    flusher.ROUND_SECONDS = 0.005  # so that each fork meets the flusher in the middle of something
    folder: Path = options.folder
    if options.adopt:
        for _ in orphans(spool_directory(), installation=installation_uuid(using="default"), address="", but=()):
            fork_one_that_outlives(folder)
    is_over = threading.Event()

    def load(number: int) -> None:
        descriptor = note_file(folder, f"t{number}")
        count = 0
        while not is_over.is_set():
            meter_and_note(f"t{number}-{count}", descriptor, way=by_record_usage)
            count += 1
            time.sleep(0.001)

    threads = [threading.Thread(target=load, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    if options.outlive:
        while not (folder / "fork").exists():
            time.sleep(0.005)
        fork_one_that_outlives(folder)
    for number in range(options.forks):
        pid = os.fork()
        if pid == 0:
            child(folder, f"c{number}", generation=1, is_booked=options.booked)
        _, status = os.waitpid(pid, 0)
        assert status == 0, f"child {number} ended with {status}"
    is_over.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()

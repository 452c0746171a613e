"""Run as a process: print the keys that a parent and its children give their events while the clock stands still.

So only what a process knows of itself keeps them apart. `python -m tests.metering.forked_keys WAY`.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import sys

import django

KEYS = 20
"""Of each process."""


def print_keys() -> None:
    """By one write, so that no two processes mix theirs up."""
    from costtrack.metering.events import build_event

    keys = [build_event(model="m", input_tokens=1, output_tokens=1).idempotency_key for _ in range(KEYS)]
    os.write(1, "".join(f"{key}\n" for key in keys).encode())


def by_fork(*, is_of_c: bool) -> None:
    """Two children, and a child of the second. By C as uWSGI forks: Python's hooks do not run."""
    for number in range(2):
        if (pid := ctypes.PyDLL(None).fork() if is_of_c else os.fork()) == 0:
            if number == 1 and (grandchild := os.fork()) != 0:
                os.waitpid(grandchild, 0)
            print_keys()
            os._exit(0)
        os.waitpid(pid, 0)


def by_multiprocessing(method: str) -> None:
    """Three children."""
    context = multiprocessing.get_context(method)
    children = [context.Process(target=_in_child) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()


def _in_child() -> None:
    stop_the_clock()
    print_keys()


def stop_the_clock() -> None:
    """In metering."""
    django.setup()
    from costtrack.metering import events

    events.time_ns = lambda: 1


def main() -> None:
    stop_the_clock()
    print_keys()
    way = sys.argv[1]
    if way in ("os", "c"):
        by_fork(is_of_c=way == "c")
    else:
        by_multiprocessing(way)
    print_keys()


if __name__ == "__main__":
    main()

"""Run as a process: one that has metered, and so has a flusher, makes children that meter, in the way that is named."""

from __future__ import annotations

import atexit
import ctypes
import multiprocessing
import os
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

from tests.exits.host import fields, meter_some, set_up
from tests.exits.scripts import stream

CHILDREN_AT_ONCE = 4
EVENTS_AT_A_FORK = 100


def wait_for(pid: int) -> None:
    """Wait until a child has ended well."""
    assert os.waitpid(pid, 0)[1] == 0, f"the child {pid} has failed"


def by_multiprocessing(method: str) -> None:
    """A Process, a Pool and a ProcessPoolExecutor."""
    context = multiprocessing.get_context(method)
    process = context.Process(target=meter_some, args=("process",))
    process.start()
    process.join()
    assert process.exitcode == 0
    with context.Pool(1) as pool:
        pool.map(meter_some, ["pool-a", "pool-b"])
        pool.close()
        pool.join()
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        executor.submit(meter_some, "executor").result()


def by_billiard() -> None:
    """The library of Celery's pools, used by itself."""
    import billiard

    process = billiard.Process(target=meter_some, args=("process",))
    process.start()
    process.join()
    assert process.exitcode == 0


def with_streams() -> None:
    """A Process that drops one stream at the very end, and leaves another open."""

    def read() -> None:
        stream("dropped-0")
        globals()["kept"] = stream("open-0")

    process = multiprocessing.get_context("fork").Process(target=read)
    process.start()
    process.join()
    assert process.exitcode == 0


def by_os_fork() -> None:
    """A child that leaves by sys.exit, one that os._exit ends before anything is booked."""
    for prefix, leave in (("exits", sys.exit), ("vanishes", os._exit)):
        if (pid := os.fork()) == 0:
            meter_some(prefix)
            leave(0)
        wait_for(pid)


def by_c() -> None:
    """As uWSGI forks: Python's hooks do not run."""
    if (pid := ctypes.PyDLL(None).fork()) == 0:
        meter_some("child")
        sys.exit(0)
    wait_for(pid)
    meter_some("parent-again")


def while_threads_meter(forks: int) -> None:
    """Fork while four threads meter at full speed and the flusher books."""
    from costtrack import record_usage
    from costtrack.metering.spool import flusher

    def meter(name: str) -> None:
        record_usage(**fields(name), input_tokens=1000, output_tokens=100)

    flusher.ROUND_SECONDS = 0.01
    meter("parent-0")  # imports what metering needs: no child could finish what another thread is just importing
    permits = threading.Semaphore(0)  # so that a slow fork does not make a backlog that the exit has no time for
    metered = [0] * 4

    def load(thread: int) -> None:
        for number in range(forks * EVENTS_AT_A_FORK // 4):
            permits.acquire()
            meter(f"thread{thread}-{number}")
            metered[thread] = number + 1

    threads = [threading.Thread(target=load, args=(thread,), daemon=True) for thread in range(4)]
    for thread in threads:
        thread.start()
    children = []
    for number in range(forks):
        if len(children) == CHILDREN_AT_ONCE:
            wait_for(children.pop(0))
        before = sum(metered)
        permits.release(EVENTS_AT_A_FORK)
        while sum(metered) < before + 10:
            time.sleep(0)
        if (pid := os.fork()) == 0:
            for event in range(3):
                meter(f"child{number}-{event}")
            atexit._run_exitfuncs()  # as sys.exit, without the time that it takes to tear all down
            os._exit(0)
        children.append(pid)
    for pid in children:
        wait_for(pid)
    for thread in threads:
        thread.join()


def while_the_flusher_reads_the_rates() -> None:
    """A child that is forked at that moment books all the same."""
    from costtrack.metering import spool
    from costtrack.pricing import ratebook

    reading, is_over = threading.Event(), threading.Event()
    read = ratebook._state_of_rates

    def read_slowly(alias: str) -> tuple[object, ...]:
        reading.set()
        is_over.wait()
        return read(alias)

    ratebook._state_of_rates = read_slowly
    meter_some("parent")
    running = spool.running()
    assert running is not None
    running.appender.wake.set()
    reading.wait()
    if (pid := os.fork()) == 0:
        is_over.set()
        meter_some("child")
        sys.exit(0)
    wait_for(pid)
    is_over.set()


def main() -> None:
    way = sys.argv[1]
    set_up()
    if way == "threads":
        while_threads_meter(int(sys.argv[2]))
        return
    if way == "rates":
        while_the_flusher_reads_the_rates()
        return
    meter_some("parent")
    match way:
        case "billiard":
            by_billiard()
        case "streams":
            with_streams()
        case "os.fork":
            by_os_fork()
        case "c":
            by_c()
        case _:
            by_multiprocessing(way)


if __name__ == "__main__":
    main()

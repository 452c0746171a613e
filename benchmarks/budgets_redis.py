"""A reservation by Redis against the bare script that it runs, each by eight clients at once.

Clients are processes, as the workers of a site are. Eight threads of one process are shown beside them, and not judged:
what they wait for is the GIL on its way from one core to another, which on two cores takes as long as the call itself.
"""

from __future__ import annotations

import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from budgets_reserving import begin, leave, reserve
from timing import Pairs, paired

CLIENTS = 8
BAR = 0.6


def chain_in_redis(url: str, folder: str, calls: int, pairs: int) -> int:
    """Print calls a second of both; 1 if the bar is missed. So many `calls` are made by each client in a run."""
    said = _said(url)
    with _processes(url, folder, calls, said) as run:
        processes = paired(lambda: run("reserve"), lambda: run("script"), pairs=pairs)
    script = _script(url, *said)
    threads = paired(_by_threads(reserve, calls), _by_threads(script, calls), pairs=pairs)
    ratio = 1 / processes.ratio
    held = ratio >= BAR
    print(
        f"{'reserve, chain of 3, Redis, 8 clients':<46} {_rates(processes, calls)}   "
        f"rate {ratio:.2f} of it (bar {BAR:.2f})   {'ok' if held else 'MISSED'}   "
        f"(8 threads of one process: {_rates(threads, calls)}, {1 / threads.ratio:.2f})"
    )
    return 0 if held else 1


def _rates(measured: Pairs, calls: int) -> str:
    script, ours = (CLIENTS * calls / statistics.median(side) for side in (measured.theirs, measured.ours))
    return f"script {script:>6,.0f} /s   reserve {ours:>6,.0f} /s"


def _said(url: str) -> tuple[list[str], list[object]]:
    """What a reservation says to the script: keys and arguments. Budgets are asked of Redis from now on."""
    from django.conf import settings

    from costtrack.budgets.backends.redis import redis_server

    settings.COSTTRACK = {**settings.COSTTRACK, **_by_redis(url)}
    server: Any = redis_server()
    asked: list[tuple[list[str], list[object]]] = []
    real = server.ask

    def ask(script: Any, said: Any, *, may_repeat: bool = True) -> Any:
        answer, run = real(script, said, may_repeat=may_repeat)
        asked.append(said(run))
        return answer, run

    server.ask = ask
    reserve()  # leases
    reserve()
    server.ask = real
    keys, arguments = asked[-1]
    return list(keys), list(arguments)


def _by_redis(url: str) -> dict[str, object]:
    return {"BUDGET_BACKEND": "redis", "REDIS_URL": url, "REDIS_TIMEOUT_MS": 1000}


def _script(url: str, keys: list[str], arguments: list[object]) -> Callable[[], None]:
    """The bare script, over redis-py."""
    import redis

    from costtrack.budgets.backends.redis_scripts import RESERVE

    client = redis.Redis.from_url(url)
    prefix = keys[0].rpartition(":")[0]

    def bare() -> None:
        hold = uuid4().hex
        names = [f"{prefix}:{hold}", *keys[1:]]
        said: list[Any] = [*arguments[:3], hold, *arguments[4:]]
        if not client.evalsha(RESERVE.sha, len(names), *names, *said).startswith(b"granted"):
            raise SystemExit("The bare script did not grant.")

    return bare


@contextmanager
def _processes(url: str, folder: str, calls: int, said: Any) -> Iterator[Callable[[str], float]]:
    """Clients that wait; what runs one of the two in all of them at once, and gives the seconds."""
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(CLIENTS + 1, timeout=60)
    which = context.Array("c", 16)
    arguments = (url, folder, calls, said, gate, which)
    clients = [context.Process(target=_client, args=arguments, daemon=True) for _ in range(CLIENTS)]
    for client in clients:
        client.start()

    def run(name: str) -> float:
        which.value = name.encode()
        gate.wait()
        began = time.perf_counter()
        gate.wait()
        return time.perf_counter() - began

    try:
        yield run
        which.value = b""
        gate.wait()
    finally:
        for client in clients:
            client.join(10)
            client.kill()


def _client(url: str, folder: str, calls: int, said: Any, gate: Any, which: Any) -> None:
    """One of them, in its process: it ends when it is told no name, and breaks the gate for all if it fails."""
    try:
        begin(folder, **_by_redis(url))
        work = {b"reserve": reserve, b"script": _script(url, *said)}
        while True:
            gate.wait()
            if not which.value:
                return leave()
            call = work[which.value]
            for _ in range(calls):
                call()
            gate.wait()
    except BaseException:
        gate.abort()
        raise


def _by_threads(call: Callable[[], None], calls: int) -> Callable[[], float]:
    """A run of so many calls by each of the clients, all threads of this process."""
    from django.db import connections

    def client(gate: threading.Barrier) -> None:
        try:
            gate.wait()
            for _ in range(calls):
                call()
            gate.wait()
        finally:
            connections.close_all()

    def run() -> float:
        gate = threading.Barrier(CLIENTS + 1)
        threads = [threading.Thread(target=client, args=(gate,)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        gate.wait()
        began = time.perf_counter()
        gate.wait()
        seconds = time.perf_counter() - began
        for thread in threads:
            thread.join()
        return seconds

    return run

"""gunicorn: its workers leave by sys.exit on SIGTERM, when they are recycled, and on a reload; its master does, too."""

from __future__ import annotations

import signal

import pytest

from tests.exits.processes import Host, is_gone, wait_until

SYNC = ("--worker-class", "sync")
THREADS = ("--worker-class", "gthread", "--threads", "4")


def serve(host: Host, *options: object, **environment: str):
    bind = ("--bind", f"unix:{host.socket}")
    return host.start("gunicorn", "tests.exits.servers:wsgi", *bind, *options, **environment)


@pytest.mark.parametrize("kind", [SYNC, THREADS], ids=["sync", "gthread"])
def test_two_workers_drain_their_spools_on_sigterm(host: Host, kind: tuple[str, ...]) -> None:
    master = serve(host, "--workers", 2, *kind)
    prefixes = host.get_from_each(2, "sync", "g")
    assert host.end_of(master, signal.SIGTERM) == 0
    host.check(*prefixes)


@pytest.mark.parametrize("kind", [SYNC, THREADS], ids=["sync", "gthread"])
def test_a_master_that_metered_before_the_fork_and_its_workers_book_each_their_own(
    host: Host, kind: tuple[str, ...]
) -> None:
    master = serve(host, "--preload", "--workers", 2, *kind, EXITS_AT_IMPORT="master")
    prefixes = host.get_from_each(2, "sync", "g")
    assert host.end_of(master, signal.SIGTERM) == 0
    host.check("master", *prefixes)


def test_a_worker_that_is_recycled_or_reloaded_has_booked_all_when_it_is_gone(host: Host) -> None:
    master = serve(host, "--workers", 1, "--max-requests", 2)
    pids = [host.get("/sync/a"), host.get("/sync/b")]
    assert pids[0] == pids[1]
    wait_until(lambda: is_gone(pids[0]), what="the end of the recycled worker", host=host)
    host.check("a", "b")
    reloaded = host.get("/sync/c")
    assert reloaded != pids[0]
    master.send_signal(signal.SIGHUP)
    wait_until(lambda: is_gone(reloaded), what="the end of the worker before the reload", host=host)
    host.check("a", "b", "c")
    assert host.end_of(master, signal.SIGTERM) == 0

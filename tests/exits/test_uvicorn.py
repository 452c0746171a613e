"""uvicorn: it answers its last request, and then raises its SIGTERM again, which kills it: `atexit` does not run."""

from __future__ import annotations

import signal

import pytest

from tests.exits.processes import Host

ASGI = "tests.exits.servers:asgi"


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_a_single_process_drains_its_spool_on_sigterm(host: Host, kind: str) -> None:
    server = host.start("uvicorn", ASGI, "--uds", host.socket)
    host.get(f"/{kind}/u")
    assert host.end_of(server, signal.SIGTERM) == -signal.SIGTERM
    host.check("u")


def test_a_single_process_drains_its_spool_on_ctrl_c(host: Host) -> None:
    server = host.start("uvicorn", ASGI, "--uds", host.socket)
    host.get("/async/u")
    host.end_of(server, signal.SIGINT)
    host.check("u")


def test_two_workers_drain_their_spools_on_sigterm(host: Host) -> None:
    server = host.start("uvicorn", ASGI, "--uds", host.socket, "--workers", 2)
    prefixes = host.get_from_each(2, "async", "u")
    host.end_of(server, signal.SIGTERM)
    host.check(*prefixes)

"""Celery: a prefork child ends by os._exit, when it is recycled as when its worker ends; the other pools do not."""

from __future__ import annotations

import subprocess
from uuid import uuid4

import pytest
from celery import Celery

from tests.exits.processes import Host, is_gone, wait_until


class Worker:
    """A worker with a queue of its own, on a real Redis."""

    def __init__(self, host: Host, redis_url: str, *options: object) -> None:
        self.queue = uuid4().hex
        broker = redis_url.replace("unix://", "redis+socket://", 1)
        self.client = Celery(broker=broker, backend=broker, set_as_current=False)
        quiet = ("--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")
        arguments = ("-A", "tests.exits.celery_app", "worker", "-Q", self.queue, *quiet, *options)
        self.process: subprocess.Popen[str] = host.start("celery", *arguments, REDIS_URL=redis_url)

    def ask(self, task: str, *arguments: str) -> object:
        """Send a task."""
        return self.client.send_task(f"exits.{task}", arguments, queue=self.queue)


@pytest.mark.parametrize(("pool", "pid_of"), [("prefork", "parent"), ("solo", "self"), ("threads", "self")])
def test_a_worker_that_is_told_to_end_has_booked_all(host: Host, redis_url: str, pool: str, pid_of: str) -> None:
    worker = Worker(host, redis_url, "--pool", pool, "--concurrency", 2)
    worker.ask("meter_and_end", "c", pid_of)
    assert host.end_of(worker.process) == 0
    host.check("c")


def test_a_child_that_is_recycled_has_booked_all_when_it_is_gone(host: Host, redis_url: str) -> None:
    worker = Worker(host, redis_url, "--pool", "prefork", "--concurrency", 1, "--max-tasks-per-child", 1)
    pid = worker.ask("meter", "a").get(timeout=60)
    wait_until(lambda: is_gone(pid), what="the end of the recycled child", host=host)
    host.check("a")
    worker.ask("meter_and_end", "b", "parent")
    assert host.end_of(worker.process) == 0
    host.check("a", "b")
